"""The `zoo` command itself: what all commands share at its start and its end."""

import sys
import warnings
from typing import Annotated

import typer

from zoo import __version__
from zoo.errors import Diverged, InputError
from zoo.plugins import PluginWarning

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which recurrent model is best for your series, by how much, at what cost - and does any beat naive?",
)


def main() -> None:
    """Run the command; a wrong request is one line on stderr and exit code 2."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    wants_traceback = "--debug" in sys.argv[1:]
    warnings.formatwarning = _warned
    try:
        sys.exit(app(args=arguments, prog_name="zoo", standalone_mode=False) or 0)
    except InputError as error:
        if wants_traceback:
            raise
        _fail(str(error), 2)
    except Diverged as error:
        if wants_traceback:
            raise
        _fail(str(error), 1)
    except typer.TyperException as error:
        _fail(error.format_message(), error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


_as_python_does = warnings.formatwarning


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A plugin that was skipped is one line to the user."""
    if issubclass(category, PluginWarning):
        return f"zoo: {' '.join(str(message).split())}\n"
    return _as_python_does(message, category, filename, lineno, line)


def _fail(message: str, code: int) -> None:
    line = " ".join(message.split())
    if line:  # none after the help that stands for a missing command
        print(f"zoo: {line}", file=sys.stderr)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (anywhere on the line).")] = False,  # noqa: ARG001
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        known = ", ".join(command.callback.__name__.removesuffix("_command") for command in app.registered_commands)  # type: ignore[union-attr]
        raise InputError(f"name a command: {known} (zoo --help)")
