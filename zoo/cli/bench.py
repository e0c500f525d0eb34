"""zoo bench: a suite to rows and a report."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.data_options import takes_data
from zoo.cli.options import option
from zoo.cli.progress import progress_line
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.cell import AccuracyRow


@app.command(
    epilog=examples(
        "zoo bench prices.csv --targets close",
        "zoo bench prices.csv --targets close --models lstm,naive --out results/mine",
        "zoo bench benchmarks/suites/sp500.toml --set fit.max_epochs=50 --jobs 2",
        "zoo bench standard --preset quick --out results/quick",
        "zoo bench etth1 --data ETTh1.csv",
    )
)
@takes_data()
def bench(
    sources: options.Sources,
    *,
    changes: dict[str, dict[str, Any]],
    data: Annotated[
        Path | None, option(options.COLUMNS, "The file of a published benchmark, which you bring: PATH/ETTh1.csv.")
    ] = None,
    is_local: Annotated[
        bool, option(options.MODELS, "Of several series: models of each alone, not one of all.", "--local")
    ] = False,
    models: Annotated[str | None, option(options.MODELS, "Variants: lstm,naive (default: all).")] = None,
    seeds: Annotated[
        int | None, option(options.MODELS, "Runs of each variant that learns at random (default: 5).")
    ] = None,
    settings: options.Set = None,
    tuned: Annotated[
        Path | None,
        option(options.MODELS, "A folder that zoo tune wrote: run its settings beside the suite's own."),
    ] = None,
    device: options.Device = "auto",
    jobs: Annotated[int | None, option(options.RUN, "Worker processes (default: cores on CPU, else 1).")] = None,
    cell_timeout: Annotated[
        float | None, option(options.RUN, "Seconds after which a single run is ended and fails (default: none).")
    ] = None,
    engine: options.Engine = "local",
    needs: options.Needs = None,
    preset: Annotated[
        str | None, option(options.RUN, "A smaller run that a benchmark offers: quick, for standard.")
    ] = None,
    force: Annotated[
        bool, option(options.RUN, "Measure cells again even if they already have rows.", "--force")
    ] = False,
    out: Annotated[Path | None, option(options.OUTPUT, "Output folder (default: results/NAME).")] = None,
    minimum_skill: options.MinimumSkill = "0.5%",
    track: options.Track = None,
    as_json: options.Json = False,
) -> None:
    """Run a suite, every variant on a data file, or a benchmark; repeat the command to resume a stopped run."""
    from zoo.run.server import start_early

    if engine == "local":
        start_early("zoo.run.worker")
    from zoo.cli.meter import Meter
    from zoo.run.bench import run_suite
    from zoo.run.engine import engine_of
    from zoo.run.many import run_suites
    from zoo.suite import chosen_models

    least = options.share_of(minimum_skill, "--minimum-skill")
    changes["data"]["source"] = None if data is None else str(data)
    changes["run"] = {"models": options.names_in(models), "seeds": seeds}
    suites, is_many = options.suites_from(sources, changes, settings or [], preset, is_local=is_local)
    if is_many and (tuned is not None or as_json):
        raise InputError("--tuned and --json belong to a single suite: run them one by one")
    for suite in suites:
        chosen_models(suite.run, classifiers=True)  # the files of variants travel with an engine
    shared: dict[str, Any] = {
        "device": device,
        "jobs": jobs,
        "cell_timeout": cell_timeout,
        "force": force,
        "command": options.typed_line(track=track),
    }
    tracked = options.tracked(track, *(suite.name for suite in suites))
    with tracked as tracking, progress_line() as bar, engine_of(engine, needs) as shared["engine"]:
        shared["tracking"] = tracking
        if is_many:
            from zoo.report.folder import report_run, write_report

            folder, meter = out or Path("results"), Meter(bar)
            runs = []
            for suite, run in run_suites(
                suites,
                folder,
                **shared,
                on_start=meter.announce,
                on_plan=lambda suite, plan: meter.listener(plan, f"{suite.name}: "),
            ):
                runs.append(run)
                if not run.is_stopped:
                    write_report(folder / suite.name, minimum_skill=least)
                    tracking.log(partial(report_run, folder / suite.name, suite.name, minimum_skill=least))
            cells = meter.total
        else:
            (suite,) = suites
            folder = out or Path("results") / (f"{suite.name}-tuned" if tuned else suite.name)
            meter = Meter(bar)
            runs = [run_suite(suite, folder, tuned=tuned, **shared, on_plan=meter.planned, expect=meter.expected)]
            cells = runs[0].cells
            if not runs[0].is_stopped:
                from zoo.report.folder import report_run  # slow to import: after the cells

                tracking.log(partial(report_run, folder, suite.name, minimum_skill=least))
    if runs[-1].is_stopped:
        done = sum(len(run.rows) for run in runs)
        print(f"stopped: {done} of {cells} cells are done; repeat the command to resume", file=sys.stderr)
        sys.exit(130)
    if is_many:
        _show_leaderboard(folder, least)
    else:
        _report(folder, runs[0].rows, least, as_json=as_json)
    sys.exit(1 if any(row.error for run in runs for row in run.rows) else 0)


def _report(folder: Path, rows: "tuple[AccuracyRow, ...]", minimum_skill: float, *, as_json: bool) -> None:
    """Write the report of all rows in the folder, and show the boards of this run's rows."""
    from zoo.report.evidence import judged
    from zoo.report.folder import write_report
    from zoo.report.summary import summary
    from zoo.report.terminal import show

    frame = write_report(folder, minimum_skill=minimum_skill).frame
    boards = judged(frame[frame["key"].isin([row.key for row in rows])], minimum_skill=minimum_skill)
    if as_json:
        options.print_json(summary(boards))
    else:
        show(options.table_console(), boards)
        print(f"rows, predictions and report.md are in {folder}")


def _show_leaderboard(folder: Path, minimum_skill: float) -> None:
    """Write and print the leaderboard of all runs in the folder, or say why there is none."""
    from zoo.report.folder import write_leaderboard

    print(f"each problem's rows and report.md are in {folder}/NAME")
    try:
        text, left_out = write_leaderboard(folder, minimum_skill=minimum_skill)
    except InputError as error:  # fewer than three variants have an order
        print(f"no leaderboard: {error}", file=sys.stderr)
        return
    print(f"the leaderboard is in {folder}/README.md\n\n{text}")
    options.print_notes(left_out)
