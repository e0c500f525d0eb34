"""Sequences: a cell's step and its gradient, traced once, as functions of a whole sequence that numba compiles."""

import hashlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from zoo.layers.kernels import BATCH, SIZE, Node, Unsupported, Value, Writer, count, dim, shape_of
from zoo.layers.operators import FASTMATH, HELPERS, POINTWISE, TURNS, aten

VIEWS = {*TURNS, aten.view.default, aten._unsafe_view.default, aten.expand.default}
VIEWS |= {aten.split.Tensor, aten.split_with_sizes.default}
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Sequences:
    """forward, infer and backward of a whole sequence in `module`; saved: the shapes, in a trace, of what forward keeps
    for backward at each step."""

    module: ModuleType
    saved: tuple[Shape, ...]


def sequences(cell: Any, dtype: torch.dtype) -> Sequences:
    """The compiled functions of a cell class, see zoo.layers.recurrence.Cell; raises Unsupported."""
    z = torch.randn(cell.blocks * SIZE, BATCH, dtype=dtype)
    state = [torch.randn(SIZE, BATCH, dtype=dtype) for _ in range(cell.states)]
    weights = [torch.randn(shape, dtype=dtype) for shape in cell.shapes(SIZE).values()]

    def joint(primals: list[Tensor], tangents: list[Tensor]) -> list[Tensor]:
        def step(*inputs: Tensor) -> Any:
            return cell.step(inputs[0], inputs[1 : 1 + cell.states], inputs[1 + cell.states :])

        func: Any = torch.func
        outputs, pull_back = func.vjp(step, *primals)
        return [*outputs, *pull_back(tuple(tangents))]

    with torch.enable_grad():
        graph = make_fx(joint)([z, *state, *weights], [torch.ones_like(each) for each in state]).graph
    graph.eliminate_dead_code()
    source = _Source(graph, cell.states, len(weights), dtype)
    return Sequences(_module_of(source.text()), tuple(map(shape_of, source.saved)))


class _Source:
    """The text of a traced step's functions."""

    def __init__(self, graph: fx.Graph, states: int, weights: int, dtype: torch.dtype) -> None:
        self.graph, self.states, self.weights, self.dtype = graph, states, weights, dtype
        inputs = [node for node in graph.nodes if node.op == "placeholder"]
        (output,) = (node for node in graph.nodes if node.op == "output")
        self.outputs, self.gradients = list(output.args[0][:states]), list(output.args[0][states : 1 + 2 * states])
        self.primals, self.tangents = inputs[: 1 + states + weights], inputs[1 + states + weights :]
        self.later = set(self.tangents)
        for node in graph.nodes:
            if self.later.intersection(node.all_input_nodes) and node.op != "output":
                self.later.add(node)
        self.sums, self.factors = _opened(output.args[0][1 + 2 * states :])
        self.saved, self.views = self._kept()
        self.loops: dict[str, str] = {}
        self.real, self.gemm, self.item = (
            ("np.float32", "gemm32", 4) if dtype == torch.float32 else ("np.float64", "gemm64", 8)
        )

    def text(self) -> str:
        """The module."""
        imports = "import math\nfrom math import sqrt\n\nimport numpy as np\nfrom numba import njit\n\n"
        imports += "from zoo.layers.blas import gemm32, gemm64\n"
        functions = [self._ahead("forward", self.saved), self._ahead("infer", []), self._back()]
        loops = [f"@njit({FASTMATH[name.rstrip('0123456789')]})\ndef {name}{text}" for text, name in self.loops.items()]
        return "\n\n".join([imports, HELPERS[self.dtype], *loops, *functions])

    def _kept(self) -> tuple[list[Node], set[Node]]:
        """What the gradient needs of the step, and the views that are made again of it."""
        saved: dict[Node, None] = {}
        views: set[Node] = set()
        of_later = (each for node in self.graph.nodes if node in self.later for each in node.all_input_nodes)
        waiting = [*(node for node in self.gradients if isinstance(node, fx.Node)), *self.factors, *of_later]
        while waiting:
            node = waiting.pop()
            if node in self.later or node in self.primals[1:]:
                continue
            if _is_view(node):
                views.add(node)
                waiting += node.all_input_nodes
            else:
                saved[node] = None
        return list(saved), views

    def _writer(self) -> Writer:
        """A writer that knows where states and weights lie."""
        writer = Writer(self.real, self.loops)
        for number, node in enumerate(self.primals[1:]):
            is_state = number < self.states
            name = f"S{number}" if is_state else f"W{number - self.states}"
            writer.values[node] = Value(shape_of(node), name, "t * H * B" if is_state else "0")
        return writer

    def _ahead(self, name: str, saved: Sequence[Node]) -> str:
        """The function of the states; each step begins with the input's product."""
        writer, z = self._writer(), self.primals[0]
        room = writer.room(shape_of(z))
        writer.fresh, writer.values[z] = room.array, room
        rows = dim(shape_of(z)[0])
        x, v, out = self._at("X", "t * K * B"), self._at("V"), self._at(room.array)
        writer.body.append(f"{self.gemm}(blas, False, False, {rows}, B, K, {v}, {x}, ZERO, {out})")
        places: dict[Node, list[Value]] = {}
        ends = [Value((SIZE, BATCH), f"S{number}", "(t + 1) * H * B") for number in range(self.states)]
        kept = [Value(shape_of(node), f"A{n}", f"t * {count(shape_of(node))}") for n, node in enumerate(saved)]
        for node, place in zip([*self.outputs, *saved], [*ends, *kept], strict=True):
            places.setdefault(node, []).append(place)
        nodes = _needed([node for node in self.graph.nodes if node not in self.later], [*self.outputs, *saved])
        writer.place(nodes, places)
        for place in places.get(z, ()):
            writer.copy(room, place)
        self._write(writer, nodes, zip(self.outputs, ends, strict=True))
        names = [*self._names("S", self.states), *self._names("A", len(saved))]
        return _function(writer, name, ["X", "V", *self._names("W", self.weights), *names], "range(L)")

    def _back(self) -> str:
        """The function of the gradients, from the last step to the first."""
        writer = self._writer()
        for number, node in enumerate(self.saved):
            writer.values[node] = Value(shape_of(node), f"A{number}", f"t * {count(shape_of(node))}")
        for number, node in enumerate(self.tangents):
            carry = Value((SIZE, BATCH), f"C{number}")
            writer.values[node] = carry if number else Value((SIZE, BATCH), "G", "t * H * B", carry)
        d_z = writer.room(shape_of(self.primals[0]))
        ends = [d_z, *(Value((SIZE, BATCH), f"N{number}") for number in range(self.states))]
        places: dict[Node, list[Value]] = {}
        for node, place in zip(self.gradients, ends, strict=True):
            if not isinstance(node, fx.Node):
                raise Unsupported("a state or an input without a gradient")
            places.setdefault(node, []).append(place)
        among = [node for node in self.graph.nodes if node in self.later or node in self.views]
        nodes = _needed(among, [*self.gradients, *self.factors])
        for node in self.factors:
            if node in nodes and node.target in POINTWISE:
                places.setdefault(node, [writer.room(shape_of(node))])
        writer.place(nodes, places)
        self._write(writer, nodes, zip(self.gradients, ends, strict=True))
        self._add_up(writer)
        rows = dim(shape_of(self.primals[0])[0])
        x, v, dz = self._at("X", "t * K * B"), self._at("V"), self._at(d_z.array)
        writer.body.append(f"{self.gemm}(blas, False, True, {rows}, K, B, {dz}, {x}, ONE, {self._at('GV')})")
        writer.body.append("if is_x_asked:")
        d_x = self._at("DX", "t * K * B")
        writer.body.append(f"    {self.gemm}(blas, True, False, K, B, {rows}, {v}, {dz}, ZERO, {d_x})")
        carries, fresh = self._names("C", self.states), self._names("N", self.states)
        writer.body.append(f"{', '.join([*carries, *fresh])} = {', '.join([*fresh, *carries])}")
        names = [*self._names("W", self.weights), *self._names("S", self.states), *self._names("A", len(self.saved))]
        names += ["G", *carries, *fresh, "DX", "GV", *self._names("GW", self.weights)]
        return _function(writer, "backward", ["is_x_asked", "X", "V", *names], "range(L - 1, -1, -1)")

    def _add_up(self, writer: Writer) -> None:
        """Add each weight's gradient of the step to its sum."""
        for number, (kind, nodes) in enumerate(self.sums):
            place = Value(shape_of(self.primals[1 + self.states + number]), f"GW{number}")
            if kind == "sum":
                value = writer.values[nodes[0]]
                inputs = [value] + ([value.extra] if value.extra else [])
                code = "out0[i] = out0[i] + in0[i]" + " + in1[i]" * (len(inputs) - 1)
                writer.loop([place], inputs, code, place.shape)
            elif nodes:
                left, right = (writer.matrix(node) for node in nodes)
                writer.gemm(*((left, right) if kind == "product" else (right.turned(), left.turned())), place, "ONE")

    def _write(self, writer: Writer, nodes: Sequence[Node], ends: Any) -> None:
        """Write the nodes, and what is no new value (a view, an input) to its end."""
        for node in nodes:
            writer.node(node)
        writer.flush()
        for node, place in ends:
            if node not in nodes or _is_view(node):
                writer.copy(writer.values[node], place)

    def _at(self, array: str, start: str = "0") -> str:
        return f"np.intp({array}.ctypes.data) + ({start}) * {self.item}"

    def _names(self, letter: str, number: int) -> list[str]:
        return [f"{letter}{each}" for each in range(number)]


def _is_view(node: Node) -> bool:
    return node.target in VIEWS or getattr(node.target, "__name__", "") == "getitem"


def _needed(nodes: Sequence[Node], ends: Sequence[Any]) -> list[Node]:
    """Those operators among the nodes that the ends need."""
    needed, among = set(), {node for node in nodes if node.op == "call_function"}
    waiting = list(ends)
    while waiting:
        node = waiting.pop()
        if node in among and node not in needed:
            needed.add(node)
            waiting += node.all_input_nodes
    return [node for node in nodes if node in needed]


def _opened(gradients: Sequence[Any]) -> tuple[list[tuple[str, list[Node]]], list[Node]]:
    """How the gradient of each weight is summed over steps, and the nodes that this needs: `product` (transposed:
    `turned`) of two factors, which is added to the sum as it is made; `sum` of the gradient itself."""
    sums: list[tuple[str, list[Node]]] = []
    for node in gradients:
        inner, is_turned = node, False
        while isinstance(inner, fx.Node) and inner.target in TURNS:
            inner, is_turned = inner.args[0], not is_turned
        if not isinstance(inner, fx.Node):
            sums.append(("none", []))
        elif inner.target is aten.mm.default:
            sums.append(("turned" if is_turned else "product", list(inner.args)))
        else:
            sums.append(("sum", [node]))
    return sums, [node for _, nodes in sums for node in nodes]


def _function(writer: Writer, name: str, names: Sequence[str], steps: str) -> str:
    rooms = "".join(f"    {line}\n" for line in writer.rooms)
    body = "".join(f"        {line}\n" for line in writer.body)
    head = f"@njit(cache=True)\ndef {name}(blas, L, H, B, K, {', '.join(names)}):\n"
    return f"{head}{rooms}    for t in {steps}:\n{body}"


def _module_of(source: str) -> ModuleType:
    """The text as a module from a file, beside which numba keeps what it compiled."""
    name = f"zoo_recurrence_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    homes = [Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lstm-zoo", Path(tempfile.gettempdir())]
    for home in homes:
        path = home / f"{name}.py"
        try:
            home.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{os.getpid()}")
            draft.write_text(source)
            draft.replace(path)
            break
        except OSError:
            continue
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.exists():
        raise Unsupported("no folder for compiled code can be written")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
