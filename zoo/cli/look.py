"""zoo list, show, data: the variants and the data."""

import inspect
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app, examples
from zoo.cli.options import Case, Columns, Json, Label, Time, names_in, print_json
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.data.cases import Cases
    from zoo.data.table import Table
    from zoo.learn.count import Counted
    from zoo.registry import Variant

FAMILIES = {
    "cell": "Cells (a recurrence of their own)",
    "architecture": "Architectures (layers around an LSTM or a GRU)",
    "baseline": "Baselines (not recurrent)",
}


@app.command("list", epilog=examples("zoo list", "zoo list --tag baseline", "zoo list ./mine.py"))
def list_command(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.py]...", help="Files with further variants.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only variants with this tag.")] = None,
    as_json: Json = False,
) -> None:
    """List the variants with their papers: cells, architectures, baselines."""
    from zoo.registry import absent, from_file, list_models, variant

    for path in files or []:
        from_file(path)
    variants = [variant(name) for name in list_models(tag=tag, classifiers=True)]
    if as_json:
        print_json([_facts(v, "name", "family", "summary", "tags", "paper", "source") for v in variants])
        return
    names, papers = max(len(v.name) for v in variants), max(len(v.paper) for v in variants)
    for family, title in FAMILIES.items():
        lines = [
            f"  {v.name:<{names}}  {v.paper:<{papers}}  {v.summary}{f' ({v.code})' if v.code.is_plugin else ''}"
            for v in variants
            if v.family == family
        ]
        if lines:
            print("\n".join([title, *lines, ""]))
    for v in absent():
        print(f"Not here: {v.name}, which needs {v.needs} ({v.install}).")
    tags = sorted({each for v in variants for each in v.tags})
    print(f"{len(variants)} variants. zoo show NAME tells more; --tag chooses: {', '.join(tags)}.")


@app.command(epilog=examples("zoo show cnn-lstm", "zoo show cnn-lstm --json", "zoo show ./mine.py"))
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE.py", help="A variant, or a file that registers some.")],
    as_json: Json = False,
) -> None:
    """Show a variant: what it computes, parameters and ranges, weights by layer, source, limits."""
    from zoo.registry import named, variant

    variants = [variant(each) for each in named(name)]
    if as_json:
        entries = [_entry(v) for v in variants]
        print_json(entries[0] if len(entries) == 1 else entries)
    else:
        print("\n\n".join(_text(v) for v in variants))


def _facts(v: "Variant", *names: str) -> dict[str, Any]:
    return {**{name: getattr(v, name) for name in names}, "code": v.code.model_dump()}


def _entry(v: "Variant") -> dict[str, Any]:
    """A variant for --json."""
    from zoo.problem import EXAMPLE

    layers = _weights(v)
    ranges = {p.name: p.range and {"kind": type(p.range).__name__, **asdict(p.range)} for p in v.parameters.values()}
    return {
        **_facts(v, "name", "summary", "source", "tags", "limits"),
        "doc": _doc(v),
        "parameters": {p.name: {"default": p.default, "range": ranges[p.name]} for p in v.parameters.values()},
        "weights": {
            "problem": {name: getattr(EXAMPLE, name) for name in ("lookback", "channels", "targets", "output_shape")},
            "layers": [asdict(layer) for layer in layers],
            "count": sum(layer.count for layer in layers),
        },
    }


def _text(v: "Variant") -> str:
    """A variant for the terminal."""
    from zoo.space import range_text

    lines = [f"{v.name}: {v.summary}", f"  source  {v.source}", f"  tags    {', '.join(v.tags)}"]
    lines += [f"  limit   {topic}: {reason}" for topic, reason in v.limits.items()]
    lines.append(f"  code    {v.code if v.code.is_plugin else f'{v.build.__module__}.{v.build.__qualname__}'}")
    lines += ["", *(f"  {line}".rstrip() for line in _doc(v).splitlines()), ""]
    lines.append("  parameters" if v.parameters else "  no parameters to set")
    lines += [f"    {p.name} = {p.default!r}  {range_text(p.range)}".rstrip() for p in v.parameters.values()]
    layers = _weights(v)
    if not layers:
        return "\n".join([*lines, "  no weights"])
    width = max(len(layer.name) for layer in layers)
    lines.append("  weights with these parameters, 5 channels, lookback 7 and 1 step ahead of 1 target")
    lines += [f"    {layer.name:<{width}}  {layer.formula} = {layer.count:,}" for layer in layers]
    if len(layers) > 1:
        lines.append(f"    {'in all':<{width}}  {sum(layer.count for layer in layers):,}")
    return "\n".join(lines)


def _doc(v: "Variant") -> str:
    """The class's own docstring, not that of nn.Module."""
    text = inspect.cleandoc(v.build.__doc__ or "")
    return "".join(sign for sign in text if sign == "\n" or sign.isprintable())


def _weights(v: "Variant") -> "list[Counted]":
    from zoo.learn.count import counted
    from zoo.problem import EXAMPLE
    from zoo.registry import create

    return counted(create(v.name, EXAMPLE).variant)


@app.command("data", epilog=examples("zoo data", "zoo data prices.csv --target close", "zoo data sp500 --json"))
def data_command(
    source: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="A data file or a built-in data set (default: list those).")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", "--targets", help="The column to advise on (default: the likeliest).")
    ] = None,
    columns: Columns = None,
    time: Time = None,
    series: Annotated[str | None, typer.Option(help="The column that tells series apart, such as symbol.")] = None,
    only: Annotated[str | None, typer.Option(help="Of several series, the name of the one to describe.")] = None,
    case: Case = None,
    label: Label = None,
    draw: Annotated[
        Path | None, typer.Option(help="Draw columns, drift, memory and season, or cases, into this .png or .html.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the built-in data sets, or describe a file: columns, spacing, gaps, and settings to try, with reasons."""
    facts: dict[str, Any]
    if source is None:
        from zoo.data.builtin import BUILT_IN
        from zoo.data.case_sets import CASE_SETS

        facts = {name: entry.summary for name, entry in BUILT_IN.items()}
        facts |= {name: entry.summary for name, entry in CASE_SETS.items()}
        text = [f"{name:<20}  {summary}" for name, summary in facts.items()]
    else:
        from zoo.data.cases import Cases
        from zoo.data.describe import describe, lines
        from zoo.data.describe_cases import case_lines, describe_cases
        from zoo.data.sources import load

        table = load(source, columns=names_in(columns), time=time, series=series, only=only, case=case, label=label)
        named = {"--columns": columns, "--time": time, "--series": series, "--only": only, "--case": case}
        named["--label"] = label
        typed = [part for flag, value in named.items() if value is not None for part in (flag, value)]
        if isinstance(table, Cases):
            if target is not None:
                raise InputError(
                    f"{table.source} holds sequences to classify, which have no target: leave out --target"
                )
            facts = describe_cases(table)
            text = case_lines(facts, typed)
        else:
            facts = describe(table, target)
            text = lines(facts, typed, source)
        if draw is not None:
            _draw(table, facts, text, draw)
    if as_json:
        print_json(facts)
    else:
        print("\n".join(text))


def _draw(table: "Table | Cases", facts: dict[str, Any], text: list[str], path: Path) -> None:
    """Draw what a table holds, as a PNG file or as a page with the text beside the charts."""
    from zoo.data.cases import Cases
    from zoo.files import write_text
    from zoo.report.chart import png
    from zoo.report.columns import cases_figure, table_figure
    from zoo.report.habits import habits_figure
    from zoo.report.html.page import rendered
    from zoo.report.section import Section

    ending = path.suffix.casefold()
    if ending not in (".png", ".html"):
        raise InputError(f"--draw writes a PNG or an HTML file: name one that ends in .png or .html, got {path.name}")
    if isinstance(table, Cases):
        figure = cases_figure(table)
    else:
        figure = table_figure(table)
        if facts["suggestion"]:
            figure = [*figure, *habits_figure(table, facts["suggestion"]["targets"], facts["season"])]
    if not figure:
        raise InputError(f"{table.source} has no numeric column to draw")
    try:
        if ending == ".png":
            png(figure, path)
        else:
            charts = [chart for row in figure for chart in row]
            write_text(path, rendered(Path(table.source).name, [Section("What is in it", text, charts)]))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from error
