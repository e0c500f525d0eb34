"""The `zoo` command itself: what all commands share at their start and end."""

import io
import signal
import sys
import threading
import warnings
from typing import Annotated

import typer

from zoo import __version__
from zoo.errors import Diverged, InputError, PluginWarning, TrackingWarning, plain

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Which recurrent model is best for your series, by how much, at what cost - and does any beat naive?",
)


def examples(*lines: str) -> str:
    """The epilog of a command's --help: command lines to copy, each at most 78 characters, to fit in 80 columns."""
    return "\n\n".join(["Examples:", *lines])


def main() -> None:
    """Run the command; a wrong request is one line on stderr and exit code 2."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    warnings.formatwarning = _warning_text
    _end_like_ctrl_c()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for signs that the terminal's encoding does not have
    try:
        sys.exit(app(args=arguments, prog_name="zoo", standalone_mode=False) or 0)
    except (InputError, Diverged) as error:
        if "--debug" in sys.argv[1:]:
            raise
        _fail(str(error), 2 if isinstance(error, InputError) else 1)
    except typer.TyperException as error:
        _fail(error.format_message().replace("Value error, ", ""), error.exit_code)
    except typer.Abort:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:  # of a path that cannot be one, a disk, a permission
        if _stopped_by:
            sys.exit(130)
        if "--debug" in sys.argv[1:]:
            raise
        place = f"{str(error.filename)[:100]}: " if error.filename is not None else ""
        _fail(f"{place}{error.strerror or error}", 2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if _stopped_by:  # an import that is interrupted may end in any error
            sys.exit(130)
        if "null byte" not in str(error) or "--debug" in sys.argv[1:]:
            raise
        _fail("a path holds a null byte: name another one", 2)


_stopped_by: list[int] = []  # the signals that asked this process to end


def _end_like_ctrl_c() -> None:
    """Have SIGTERM and SIGHUP keep what is done, as Ctrl-C does; nohup's wish to ignore SIGHUP stays."""

    def stop(number: int, _: object) -> None:
        _stopped_by.append(number)
        raise KeyboardInterrupt

    _stopped_by.clear()
    if threading.current_thread() is not threading.main_thread():
        return
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, stop)


_python_warning_text = warnings.formatwarning


def _warning_text(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """One line for a plugin that was skipped and a tracker that failed; other warnings as Python prints them."""
    if issubclass(category, PluginWarning | TrackingWarning):
        return f"zoo: {plain(str(message))}\n"
    return _python_warning_text(message, category, filename, lineno, line)


def _fail(message: str, code: int) -> None:
    line = plain(message)
    if line:  # empty after the help that `zoo` prints when it gets no arguments
        print(f"zoo: {line}", file=sys.stderr)
    sys.exit(code)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        print(__version__)
        raise typer.Exit


@app.callback(
    epilog=examples(
        "zoo data prices.csv",
        "zoo bench prices.csv --targets close --models lstm,naive --out results/mine",
        "zoo report results/mine --format html --out report.html",
    )
)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (anywhere on the line).")] = False,
) -> None:
    pass
