"""zoo list, show, data: the variants and the data."""

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import Columns, Json, Time, names_in, print_json

if TYPE_CHECKING:
    from zoo.learn.count import Counted
    from zoo.registry import Variant

EXAMPLE: dict[str, Any] = {"lookback": 7, "channels": 5, "targets": (3,), "output_shape": (1, 1)}  # daily prices


@app.command("list")
def list_command(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE.py...]", help="Files with further variants.")
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Only variants with this tag.")] = None,
    as_json: Json = False,
) -> None:
    """List the variants, one line each."""
    from zoo.registry import from_file, list_models, variant

    for path in files or []:
        from_file(path)
    chosen = [variant(name) for name in list_models(tag=tag)]
    if as_json:
        shown = ("name", "summary", "tags", "source")
        print_json([{**{name: getattr(v, name) for name in shown}, "code": v.code.model_dump()} for v in chosen])
        return
    width = max(len(v.name) for v in chosen)
    for v in chosen:
        tags = f" [{', '.join(v.tags)}]" if v.tags else ""
        print(f"{v.name:<{width}}  {v.summary}{tags}{f' ({v.code})' if v.code.is_plugin else ''}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME|FILE.py", help="A variant, or a file with some.")],
    as_json: Json = False,
) -> None:
    """Show a variant: what it computes, its parameters and their ranges, how many weights, source and limits."""
    from zoo.registry import named, variant

    chosen = [variant(each) for each in named(name)]
    if as_json:
        entries = [_as_json(each) for each in chosen]
        print_json(entries[0] if len(entries) == 1 else entries)
        return
    print("\n\n".join(_described(each) for each in chosen))


def _as_json(v: "Variant") -> dict[str, Any]:
    from dataclasses import asdict

    shown = ("name", "summary", "source", "tags", "limits")
    layers = [asdict(layer) for layer in _weights(v)]
    return {
        **{name: getattr(v, name) for name in shown},
        "code": v.code.model_dump(),
        "doc": _doc(v),
        "parameters": {
            p.name: {
                "default": p.default,
                "range": None if p.range is None else {"kind": type(p.range).__name__, **asdict(p.range)},
            }
            for p in v.parameters.values()
        },
        "weights": {"problem": EXAMPLE, "layers": layers, "count": sum(layer["count"] for layer in layers)},
    }


def _described(v: "Variant") -> str:
    from zoo.space import range_text

    lines = [f"{v.name}: {v.summary}", f"  source  {v.source}", f"  tags    {', '.join(v.tags)}"]
    lines += [f"  limit   {topic}: {reason}" for topic, reason in v.limits.items()]
    lines.append(f"  code    {v.code if v.code.is_plugin else f'{v.build.__module__}.{v.build.__qualname__}'}")
    lines += [""] + [f"  {line}".rstrip() for line in _doc(v).splitlines()] + [""]
    lines.append("  parameters" if v.parameters else "  no parameters to set")
    lines += [f"    {p.name} = {p.default!r}  {range_text(p.range)}".rstrip() for p in v.parameters.values()]
    layers = _weights(v)
    if not layers:
        return "\n".join([*lines, "  no weights"])
    width = max(len(layer.name) for layer in layers)
    lines.append("  weights, with these, 5 channels, lookback 7 and 1 step ahead of 1 target")
    lines += [f"    {layer.name:<{width}}  {layer.formula} = {layer.count:,}" for layer in layers]
    if len(layers) > 1:
        lines.append(f"    {'in all':<{width}}  {sum(layer.count for layer in layers):,}")
    return "\n".join(lines)


def _doc(v: "Variant") -> str:
    """The class's own docstring, not that of nn.Module."""
    return inspect.cleandoc(v.build.__doc__ or "")


def _weights(v: "Variant") -> "list[Counted]":
    from zoo.learn.count import counted
    from zoo.problem import Problem
    from zoo.registry import create

    return counted(create(v.name, Problem(**EXAMPLE)).variant)


@app.command("data")
def data_command(
    source: Annotated[
        str | None, typer.Argument(help="A built-in name or a file; none lists the built-in ones.")
    ] = None,
    time: Time = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """List the built-in data sets, or describe a file: columns, frequency, gaps, outliers."""
    from zoo.data.builtin import BUILT_IN

    if source is None:
        entries = {name: entry.summary for name, entry in BUILT_IN.items()}
        if as_json:
            print_json(entries)
        else:
            for name, summary in entries.items():
                print(f"{name:<12}  {summary}")
        return
    from zoo.data.describe import describe, lines
    from zoo.data.sources import load

    facts = describe(load(source, columns=names_in(columns), time=time))
    if as_json:
        print_json(facts)
    else:
        print("\n".join(lines(facts)))
