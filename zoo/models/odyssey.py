"""The LSTM of the search space odyssey, each time without one of its parts."""

from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.layers.recurrence import Cell, State
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int

SOURCE = "Greff et al. 2017, 'LSTM: a search space odyssey', section 3 ({})"


class OdysseyCell(Cell):
    """The LSTM with peepholes; a subclass leaves a part out or adds one. Blocks: its gates, and g."""

    gates: ClassVar[str] = "ifo"
    is_coupled = is_full = is_input_linear = is_output_linear = False

    @classmethod
    def shapes(cls, size: int) -> dict[str, tuple[int, ...]]:
        weights: dict[str, tuple[int, ...]] = {"recurrent": ((len(cls.gates) + 1) * size, size)}
        weights |= {f"see_{gate}": (size, 1) for gate in cls.gates}
        return weights | ({f"from_{gate}": (3 * size, size) for gate in cls.gates} if cls.is_full else {})

    @classmethod
    def step(cls, z: Tensor, state: State, weights: State) -> State:
        hidden, cell, *before = state
        see = dict(zip(cls.gates, weights[1:], strict=False))
        *raw, candidate = torch.addmm(z, weights[0], hidden).split(len(hidden))
        if cls.is_full:
            of_i, of_f, of_o = (torch.mm(weight, gate) for weight, gate in zip(weights[4:], before, strict=True))
            raw = [one + other for one, other in zip(raw, (of_i + of_f + of_o).split(len(hidden)), strict=True)]
        parts = dict(zip(cls.gates, raw, strict=True))

        def gate(name: str) -> Tensor | None:
            return (parts[name] + see[name] * cell).sigmoid() if name in parts else None

        i, f = gate("i"), gate("f")  # of the cell before; the output gate sees the new one
        if cls.is_coupled and i is not None:
            f = 1 - i
        added = candidate if cls.is_input_linear else candidate.tanh()
        cell = (cell if f is None else f * cell) + (added if i is None else i * added)
        o = gate("o")
        shown = cell if cls.is_output_linear else cell.tanh()
        hidden = shown if o is None else o * shown
        gates = [each for each in (i, f, o) if each is not None]
        return (hidden, cell, *gates) if cls.is_full else (hidden, cell)


class NoInputGate(OdysseyCell):
    blocks, states, gates = 3, 2, "fo"


class NoForgetGate(OdysseyCell):
    blocks, states, gates = 3, 2, "io"


class NoOutputGate(OdysseyCell):
    blocks, states, gates = 3, 2, "if"


class NoInputActivation(OdysseyCell):
    blocks, states, is_input_linear = 4, 2, True


class NoOutputActivation(OdysseyCell):
    blocks, states, is_output_linear = 4, 2, True


class Coupled(OdysseyCell):
    blocks, states, gates, is_coupled = 3, 2, "io", True


class FullGateRecurrence(OdysseyCell):
    blocks, states, is_full = 4, 5, True


def variant_of(cell: type[OdysseyCell]) -> type[nn.Module]:
    """The variant whose layer has this cell."""

    class Odyssey(nn.Module):
        """Forecast from the state at the last lookback step, by an LSTM that has one part less or more than this:

        i_t = sigmoid(W_i x_t + U_i state_t-1 + p_i * cell_t-1 + b_i),   f_t likewise, o_t with cell_t
        cell_t = f_t * cell_t-1 + i_t * tanh(W x_t + U state_t-1 + b),   state_t = o_t * tanh(cell_t)
        forecast = W state_lookback + b

        The LSTM with all of these is peephole-lstm, the one without peepholes lstm.
        """

        def __init__(
            self,
            problem: Problem,
            *,
            hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
            dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
        ) -> None:
            super().__init__()
            self.cells = cell(problem.channels, hidden_size)
            self.dropout = nn.Dropout(dropout)
            self.head = Head(hidden_size, problem.output_shape)

        def forward(self, x: Tensor) -> Tensor:
            states_BLH = self.cells(x)
            return self.head(self.dropout(states_BLH[:, -1]))

    return Odyssey


for name, cell, summary, short in (
    ("no-input-gate-lstm", NoInputGate, "a peephole LSTM without input gate: i = 1", "NIG"),
    ("no-forget-gate-lstm", NoForgetGate, "a peephole LSTM without forget gate: f = 1, nothing is forgotten", "NFG"),
    ("no-output-gate-lstm", NoOutputGate, "a peephole LSTM without output gate: o = 1", "NOG"),
    ("no-input-activation-lstm", NoInputActivation, "a peephole LSTM without tanh on what it adds", "NIAF"),
    ("no-output-activation-lstm", NoOutputActivation, "a peephole LSTM without tanh on what it shows", "NOAF"),
    ("coupled-peephole-lstm", Coupled, "a peephole LSTM that forgets as much as it adds: f = 1 - i", "CIFG"),
    ("full-gate-recurrence-lstm", FullGateRecurrence, "a peephole LSTM whose gates also see all gates before", "FGR"),
):
    register(name, summary=summary, source=SOURCE.format(short), tags=("lstm", "cell", "odyssey"))(variant_of(cell))
