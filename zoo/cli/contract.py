"""zoo new and zoo check: a variant of your own, and the checks that it fulfils the contract."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app, examples
from zoo.cli.options import OUTPUT, Json, names_in, option, print_json
from zoo.errors import InputError

if TYPE_CHECKING:
    from zoo.testing import Result

VARIANT = '''\
"""An LSTM that reads its inputs through a gated linear layer. Change it to your own idea."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "{name}",
    summary="an LSTM on inputs that pass a learned gate",  # one line, for zoo list
    source="where the idea comes from, and where this departs from it",
    tags=("lstm",),
    # limits={{"onnx": "why"}},  # what it does not do: a topic of zoo check, and the reason
)
class {title}(nn.Module):
    """Forecast from the state at the last lookback step of an LSTM that reads gated inputs.

    mixed_t = (V x_t + v) * sigmoid(G x_t + g)
    state_t = LSTM(mixed_t, state_t-1)
    forecast = W state_lookback + b
    """

    # The keyword arguments below are its hyperparameters: type, range that zoo tune searches, and default.
    # Every combination of the ranges' ends must build.
    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.value = nn.Linear(problem.channels, hidden_size)
        self.gate = nn.Linear(problem.channels, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    # From scaled windows [batch, lookback, channels] to a scaled forecast [batch, *problem.output_shape].
    # The level of each window is subtracted before this call and added to its result (--normalise).
    def forward(self, x: Tensor) -> Tensor:
        mixed_BLH = self.value(x) * torch.sigmoid(self.gate(x))
        states_BLH, _ = self.lstm(mixed_BLH)
        return self.head(self.dropout(states_BLH[:, -1]))
'''
IMPORTED = ("None", "True", "False", "Annotated", "Tensor", "Head", "Problem", "Float", "Int", "VariantContract")
TEST = '''\
"""{name} fulfils the contract of every variant: pytest {test}"""

from pathlib import Path

from zoo.testing import VariantContract


class Test{title}(VariantContract):
    variant = "{name}"
    file = Path(__file__).with_name("{file}")
'''


@app.command(epilog=examples("zoo new gated-lstm", "zoo new gated-lstm --out variants"))
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The variant's name: lower case, words with hyphens.")],
    out: Annotated[Path, option(OUTPUT, "Folder to write into.")] = Path(),
) -> None:
    """Write a working variant to edit, and its test."""
    from zoo.files import write_atomically
    from zoo.registry import NAME, is_registered

    if not NAME.fullmatch(name) or name == "all":
        raise InputError(f"a variant's name is lower case with hyphens, such as gated-lstm, got '{name}'")
    if is_registered(name):
        raise InputError(f"a variant '{name}' exists already: choose another name (zoo show {name})")
    stem = name.replace("-", "_")
    if stem in sys.builtin_module_names or find_spec(stem) is not None:
        raise InputError(f"{stem}.py would hide the module {stem}: choose another name, such as {name}-lstm")
    title = "".join(part.upper() if part in ("lstm", "gru", "cnn") else part.capitalize() for part in name.split("-"))
    if not title.isidentifier() or title in IMPORTED:
        title += "Variant"
    file, test = out / f"{stem}.py", out / f"test_{stem}.py"
    for path in (file, test):
        if path.exists():
            raise InputError(f"{path} exists already: choose another name or another --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_atomically(file, VARIANT.format(name=name, title=title).encode())
        write_atomically(test, TEST.format(name=name, title=title, file=file.name, test=test.name).encode())
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}; choose another --out") from error
    shown = file if file.is_absolute() else f"./{file}"
    print(f"wrote {file} and {test}\nnext: zoo check {shown}")
    print(f"then: zoo bench sp500 --targets Close --models {shown},lstm,naive")


@app.command(
    epilog=examples("zoo check lstm", "zoo check ./gated_lstm.py", "zoo check ./gated_lstm.py --only batch,onnx")
)
def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME|FILE.py", help="A variant, or a Python file that registers some.")
    ],
    only: Annotated[str | None, typer.Option(help="Only these checks: corners,batch.")] = None,
    cell_timeout: Annotated[float, typer.Option(help="Seconds after which a single check is ended and fails.")] = 600.0,
    as_json: Json = False,
) -> None:
    """Check that a variant keeps the contract: what holds, what fails, why, and the usual cause."""
    import torch

    from zoo.registry import named
    from zoo.testing import check as run_checks

    torch.set_num_threads(1)
    outcomes: dict[str, list[Result]] = {}
    for variant in named(name):
        if not as_json:
            print(variant)
        on_result = (lambda _: None) if as_json else _show
        outcomes[variant] = run_checks(variant, names_in(only), on_result, timeout=cell_timeout)
    results = [result for each in outcomes.values() for result in each]
    holds, fails, skipped = (sum(r.status == status for r in results) for status in ("holds", "fails", "skipped"))
    if as_json:
        print_json({variant: [vars(result) for result in each] for variant, each in outcomes.items()})
    else:
        seconds = sum(result.seconds for result in results)
        print(f"{holds} hold, {fails} fail, {skipped} skipped, {seconds:.1f} s")
    sys.exit(1 if fails else 0)


def _show(result: "Result") -> None:
    mark = "FAILS" if result.status == "fails" else result.status
    print(f"  {mark:<7}  {result.check:<10} {result.text}", flush=True)
