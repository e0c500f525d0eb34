"""Lags: lag 1 is the last row of a window; groups of them, each twice as long as the one before."""

Group = tuple[int, int]  # its first and its last lag


def lag_groups(lookback: int) -> tuple[Group, ...]:
    """1, 2, 3-4, 5-8, ...; the last one ends at the lookback."""
    groups, first = [(1, 1)], 2
    while first <= lookback:
        groups.append((first, min(2 * first - 2, lookback)))
        first = 2 * first - 1
    return tuple(groups)


def group_text(group: Group) -> str:
    """3 or 3-4."""
    first, last = group
    return str(first) if first == last else f"{first}-{last}"


def rows_of(group: Group, lookback: int) -> slice:
    """Where the lags of a group lie among the rows of a window."""
    first, last = group
    return slice(lookback - last, lookback - first + 1)
