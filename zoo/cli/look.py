"""zoo list, show, data: what there is."""

from pathlib import Path
from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import Columns, Json, Time, names_in, print_json


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
        shown = ("name", "summary", "tags", "source", "plugin")
        print_json([{name: getattr(v, name) for name in shown} for v in chosen])
        return
    width = max(len(v.name) for v in chosen)
    for v in chosen:
        tags = f" [{', '.join(v.tags)}]" if v.tags else ""
        print(f"{v.name:<{width}}  {v.summary}{tags}{f' ({v.origin})' if v.origin else ''}")


@app.command()
def show(name: str, as_json: Json = False) -> None:
    """Show a variant: parameters, ranges, defaults, source."""
    from dataclasses import asdict

    from zoo.registry import variant
    from zoo.space import described

    chosen = variant(name)
    if as_json:
        print_json(
            {
                "name": chosen.name,
                "summary": chosen.summary,
                "source": chosen.source,
                "tags": chosen.tags,
                "limits": chosen.limits,
                "parameters": {
                    p.name: {
                        "default": p.default,
                        "range": None if p.range is None else {"kind": type(p.range).__name__, **asdict(p.range)},
                    }
                    for p in chosen.parameters.values()
                },
            }
        )
        return
    print(f"{chosen.name}: {chosen.summary}")
    print(f"  source  {chosen.source}")
    print(f"  tags    {', '.join(chosen.tags)}")
    for limit in chosen.limits:
        print(f"  limit   {limit}")
    print(f"  code    {chosen.build.__module__}.{chosen.build.__qualname__}")
    print("  parameters" if chosen.parameters else "  no parameters")
    for p in chosen.parameters.values():
        print(f"    {p.name} = {p.default!r}  {described(p.range)}".rstrip())


@app.command("data")
def data_command(
    source: Annotated[
        str | None, typer.Argument(help="A built-in name or a file; none lists the built-in ones.")
    ] = None,
    time: Time = None,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """List the built-in data sets, or say what is in a file: columns, frequency, gaps, outliers."""
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

    found = describe(load(source, columns=names_in(columns), time=time))
    if as_json:
        print_json(found)
    else:
        print("\n".join(lines(found)))
