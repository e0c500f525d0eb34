"""run_suites: several suites, one after the other, each into a folder of its own."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import InputError
from zoo.run import executor
from zoo.run.bench import Expanded, Plan, SuiteRun, run_suite
from zoo.run.engine import Engine
from zoo.run.executor import Event
from zoo.run.pace import expected_seconds
from zoo.run.store import read_rows
from zoo.suite import Suite, expand
from zoo.tracking.tracking import NOWHERE, Tracking


@dataclass(frozen=True)
class SuitesPlan:
    """What several suites are about to do, all together; seconds: what each cell without a row is expected to take."""

    suites: int
    variants: int
    cells: int
    jobs: int
    seconds: dict[str, float]


def run_suites(
    suites: Sequence[Suite],
    folder: Path,
    *,
    device: str = "auto",
    jobs: int | None = None,
    cell_timeout: float | None = None,
    force: bool = False,
    command: str | None = None,
    engine: Engine = executor,
    tracking: Tracking = NOWHERE,
    on_start: Callable[[SuitesPlan], None] = lambda _: None,
    on_plan: Callable[[Suite, Plan], Callable[[Event], None]] = lambda _suite, _plan: lambda _: None,
) -> Iterator[tuple[Suite, SuiteRun]]:
    """Run each suite into folder/NAME and yield it as it ends; the last one may be stopped.

    on_start: called once, before anything runs; the rest is as in run_suite. Every suite is checked before the first
    one runs: raises InputError where two have the same name, and for whatever run_suite refuses.
    """
    twice = [name for name, count in Counter(suite.name for suite in suites).items() if count > 1]
    if twice:
        raise InputError(f"two suites have the name '{twice[0]}': each needs one of its own for its folder")
    expanded: list[Expanded] = [expand(suite, device=device, timeout=cell_timeout) for suite in suites]
    seconds: dict[str, float] = {}
    for suite, (cells, data) in zip(suites, expanded, strict=True):
        rows = [] if force else read_rows(folder / suite.name)[0]
        done = {row.key for row in rows if row.error is None}
        seconds |= expected_seconds([cell for cell in cells if cell.key not in done], data)
    every = [cell for cells, _ in expanded for cell in cells]
    variants, workers = len({cell.variant for cell in every}), jobs or engine.default_jobs(every[0].device)
    on_start(SuitesPlan(len(suites), variants, len(every), workers, seconds))
    for suite, parts in zip(suites, expanded, strict=True):
        run = run_suite(
            suite,
            folder / suite.name,
            device=device,
            jobs=jobs,
            cell_timeout=cell_timeout,
            force=force,
            command=command,
            engine=engine,
            tracking=tracking,
            expanded=parts,
            on_plan=lambda plan, suite=suite: on_plan(suite, plan),  # type: ignore[misc]
            expect=lambda _cells, _data: seconds,
        )
        yield suite, run
        if run.is_stopped:
            return
