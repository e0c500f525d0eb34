"""Published figures beside those of a board, where its suite brings some for the very same problem."""

from pathlib import Path
from typing import TYPE_CHECKING

from zoo.data.split import SHARES, split_rows
from zoo.problem import LOOKBACK
from zoo.report.board import Board
from zoo.report.tables import figure
from zoo.report.text_table import Text, TextTable, table_of

if TYPE_CHECKING:
    from zoo.suite import Suite

FOLDER = Path(__file__).parents[1] / "suites/published"
CAPTION = (
    "Errors over all targets and steps in deviations of the training rows, lower is better. here: mean ± standard "
    "deviation over seeds, every test window; papers differ in how they search and stop. Bold: the lowest."
)


def published_table(board: Board) -> TextTable | None:
    """The lines of a board among the figures of papers, best first; None where there are none for this problem."""
    suite = _suite_of(board)
    if suite is None:
        return None
    lines = [
        (mse.mean, f"{line.label}, here", figure(mse, decimals=3), figure(mae, decimals=3), "", line.is_baseline)
        for line in board.lines
        if (mse := line.spread("scaled_mse")) is not None and (mae := line.spread("scaled_mae")) is not None
    ]
    lines += [
        (each.scaled_mse, each.model, f"{each.scaled_mse:.3f}", f"{each.scaled_mae:.3f}", each.source, False)
        for each in suite.published
    ]
    lines.sort(key=lambda line: line[0])
    least = lines[0][0]
    cells: list[dict[str, str | Text]] = [
        {"model": model, "scaled mse": Text(mse, value == least), "scaled mae": mae, "published in": source}
        for value, model, mse, mae, source, _ in lines
    ]
    return table_of(cells, [is_baseline for *_, is_baseline in lines])


def _suite_of(board: Board) -> "Suite | None":
    """The shipped suite with published figures that a board's rows belong to, unless what is forecast was changed."""
    shipped = {path.stem: path for path in FOLDER.glob("*.toml")}
    for name in board.runs["suite"].unique():
        path = shipped.get(str(name))
        if path is None:
            continue
        from zoo.suite import read_suite  # imports torch, which other reports do without

        suite = read_suite(path)
        file, first = suite.data.file, board.first
        if not suite.published or file is None:
            continue
        bounds = split_rows(suite.problem.split or SHARES, file.rows, None)
        counts = [end - start for _, start, end in bounds.parts()]
        wanted = (suite.problem.lookback or LOOKBACK, suite.problem.horizon, counts, file.columns, file.columns)
        if wanted == (board.lookback, board.horizon, list(first["split"]), len(first["channels"]), len(board.targets)):
            return suite
    return None
