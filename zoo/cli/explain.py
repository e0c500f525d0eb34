"""zoo explain: what a kept model's forecasts rest on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli import options
from zoo.cli.app import app, examples
from zoo.cli.options import option

if TYPE_CHECKING:
    from zoo.explanation.explain import Explanation


@app.command(
    epilog=examples(
        "zoo explain models/close prices.csv",
        "zoo explain models/close prices.csv --out results/why",
        "zoo explain models/close prices.csv --method permutation --each-lag",
    )
)
def explain(
    model: Annotated[Path, typer.Argument(metavar="MODEL_DIR", help="A folder that zoo fit or zoo select wrote.")],
    source: options.Data,
    variants: options.Variants = None,
    columns: options.Columns = None,
    time: options.Time = None,
    case: options.Case = None,
    label: options.Label = None,
    method: Annotated[
        str | None,
        option(options.RUN, "permutation, integrated-gradients, attention, gates: a,b (default: those that apply)."),
    ] = None,
    part: Annotated[
        str | None, option(options.RUN, "test, validation, train or all (default: test, or what is nearest to it).")
    ] = None,
    windows: Annotated[int, option(options.RUN, "Windows to explain at most, evenly spread over the part.")] = 500,
    repeats: Annotated[int, option(options.RUN, "How often each input is shuffled.")] = 5,
    each_lag: Annotated[
        bool, option(options.RUN, "Shuffle every lag by itself, not in groups 1, 2, 3-4, 5-8, ...", "--each-lag")
    ] = False,
    seed: Annotated[int, option(options.RUN, "Seed of the shuffling.")] = 0,
    out: Annotated[Path | None, option(options.OUTPUT, "New folder for tables, pictures and explain.html.")] = None,
    as_json: options.Json = False,
) -> None:
    """Say which channels and lags a kept model's forecasts rest on, by several methods beside each other."""
    from rich.console import Console

    from zoo.data.sources import load
    from zoo.explanation.explain import explain as explain_model
    from zoo.explanation.folder import check_new, write_folder
    from zoo.registry import from_file
    from zoo.train.step import torch_threads
    from zoo.train.store import load_model

    if out is not None:
        check_new(out)
    if variants is not None:
        from_file(variants)
    inner = model / "model"  # in the folder of zoo select
    saved = load_model(inner if not (model / "model.json").exists() and inner.is_dir() else model)
    how: dict[str, Any] = {"columns": options.names_in(columns), "time": time, "case": case, "label": label}
    table = load(source, **how, **saved.reading)
    with torch_threads(1), Console(stderr=True).status("reading") as status:
        explained = explain_model(
            saved,
            table,
            methods=options.names_in(method),
            part=part,
            windows=windows,
            repeats=repeats,
            each_lag=each_lag,
            seed=seed,
            on_progress=status.update,
        )
    written = write_folder(explained, out, options.typed_line()) if out is not None else []
    options.print_notes([*saved.notes, *table.notes, *explained.notes])
    if as_json:
        options.print_json(_fields(explained))
        return
    _show(explained)
    for path in written:
        print(path)


def _fields(explained: "Explanation") -> dict[str, Any]:
    from zoo.explanation.words import answer

    return {
        "variant": explained.name,
        "part": explained.part,
        "windows": explained.windows,
        "answer": answer(explained),
        "notes": list(explained.notes),
        **{name: frame.to_dict(orient="records") for name, frame in explained.frames.items()},
    }


def _show(explained: "Explanation") -> None:
    from zoo.explanation.section import section_of
    from zoo.report.section import Captioned
    from zoo.report.terminal import show_table

    section, console = section_of(explained), options.table_console()
    first, *others = section.sentences
    console.print(first, style="bold", markup=False, highlight=False)
    console.print("", *others, "", sep="\n", markup=False, highlight=False)
    for block in section.blocks:
        if isinstance(block, Captioned):
            console.print(block.title, style="bold", markup=False, highlight=False)
            show_table(console, block.table)
            if block.caption:
                console.print(block.caption, style="dim", markup=False, highlight=False)
