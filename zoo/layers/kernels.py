"""Kernels: the operators of a traced step as text that numba compiles.

Products call BLAS. The pointwise operators between two products become one loop, whose numbers stay in registers. Sizes
are written in terms of H and B, so that one text serves every hidden size and batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import fx

from zoo.layers.operators import POINTWISE, SUM_OF_COLUMN, SUM_OF_ROW, TURNS, aten

Node = Any  # torch.fx.Node, whose arguments may be of any kind
SIZE, BATCH = 61, 53  # H and B of a trace, which no other number may be: they are read as H and B


class Unsupported(Exception):
    """A step that is not compiled; the message says why."""


@dataclass
class Value:
    """Where the value of a node lies: in a flat array, from an offset on.

    shape: in the trace; start: text in terms of t, H and B; extra: a second value, to be added to it; is_turned: a
    matrix that is used transposed.
    """

    shape: tuple[int, ...]
    array: str
    start: str = "0"
    extra: "Value | None" = None
    is_turned: bool = False

    def turned(self) -> "Value":
        """The same matrix transposed."""
        return Value(self.shape[::-1], self.array, self.start, None, not self.is_turned)


def dim(number: int) -> str:
    """A size of a trace in terms of H and B."""
    if number == BATCH:
        return "B"
    if number % SIZE == 0:
        return f"{number // SIZE} * H" if number != SIZE else "H"
    return str(number)


def count(shape: Sequence[int]) -> str:
    return " * ".join(f"({dim(number)})" for number in shape) or "1"


@dataclass
class Writer:
    """Writes the body of a step, and the loops that it calls."""

    real: str
    loops: dict[str, str]  # names of the functions that are called, by their text from the parameters on
    body: list[str] = field(default_factory=list)
    rooms: list[str] = field(default_factory=list)
    values: dict[Node, Any] = field(default_factory=dict)
    group: list[Node] = field(default_factory=list)
    among: set[Node] = field(default_factory=set)
    fresh: str = ""  # the room of the input's product, new at each step
    stores: dict[Node, list[Value]] = field(default_factory=dict)

    def room(self, shape: Sequence[int]) -> Value:
        """A new array for one step."""
        name = f"room{len(self.rooms)}"
        self.rooms.append(f"{name} = np.empty({count(shape)}, {self.real})")
        return Value(tuple(shape), name)

    def node(self, node: Node) -> None:
        """Write one operator."""
        target = node.target
        if target in POINTWISE:
            self._pointwise(node)
            return
        if target is aten.split.Tensor or target is aten.split_with_sizes.default:
            self._split(node)
            return
        if getattr(target, "__name__", "") == "getitem":
            self.values[node] = self.values[node.args[0]][node.args[1]]
            return
        if target in TURNS:
            value = self._settled(node.args[0])
            self.values[node] = Value(shape_of(node), value.array, value.start, None, not value.is_turned)
            return
        if target is aten.expand.default:  # whoever reads it repeats the row or the column
            self.values[node] = self._settled(node.args[0])
            return
        if target in (aten.view.default, aten._unsafe_view.default):
            value = self._settled(node.args[0])
            self.values[node] = Value(shape_of(node), value.array, value.start)
            return
        self.flush()
        if target is aten.mm.default:
            self.values[node] = value = self._product(node.args[0], node.args[1], self._target(node))
            for place in self.stores.get(node, [])[1:]:
                self.copy(value, place)
        elif target is aten.addmm.default and not node.kwargs:
            base = self._settled(node.args[0])
            if base.shape != shape_of(node) or base.extra is not None:
                raise Unsupported("addmm of another shape")
            is_free = base.array == self.fresh and sum(user in self.among for user in node.args[0].users) == 1
            if is_free:  # the product is added where the input's product lies
                one, other = self.matrix(node.args[1]), self.matrix(node.args[2])
                self.gemm(one, other, base, "ONE")
                value = Value(base.shape, base.array, base.start)
            else:
                value = self._product(node.args[1], node.args[2], self.room(shape_of(node)))
                value.extra = base
            self.values[node] = value
            for place in self.stores.get(node, ()):
                self.copy(value, place)
                self.values[node] = place
        elif target is aten.cat.default and (len(node.args) == 1 or node.args[1] == 0):
            self._cat(node)
        elif target is aten.sum.dim_IntList:
            self._sum(node)
        else:
            raise Unsupported(str(target))

    def _settled(self, node: Node) -> Value:
        """The value of a node, which lies in an array now."""
        if node in self.group:
            self.flush()
        value: Value = self.values[node]
        return value

    def _split(self, node: Node) -> None:
        source = self._settled(node.args[0])
        if len(node.args) > 2 and node.args[2] != 0:
            raise Unsupported("split of columns")
        parts, row = [], 0
        whole = source.shape[0]
        sizes = node.args[1]
        sizes = [sizes] * -(-whole // sizes) if isinstance(sizes, int) else sizes
        for size in sizes:
            shape = (min(size, whole - row), *source.shape[1:])
            start = f"{source.start} + ({dim(row) if row else 0}) * ({count(source.shape[1:])})"
            extra = None
            if source.extra is not None:
                other = source.extra
                begin = f"{other.start} + ({dim(row) if row else 0}) * ({count(other.shape[1:])})"
                extra = Value(shape, other.array, begin)
            parts.append(Value(shape, source.array, start, extra))
            row += size
        self.values[node] = parts

    def pointer(self, value: Value) -> str:
        return f"np.intp({value.array}.ctypes.data) + ({value.start}) * {4 if self.real == 'np.float32' else 8}"

    def _product(self, left: Node, right: Node, out: Value) -> Value:
        one, other = self.matrix(left), self.matrix(right)
        self.gemm(one, other, out, "ZERO")
        return Value(out.shape, out.array, out.start)

    def matrix(self, node: Node) -> Value:
        value = self._settled(node)
        if node.target is aten.expand.default:
            raise Unsupported("a product with a repeated row or column")
        if value.extra is None:
            return value
        whole = self.room(value.shape)
        self.copy(value, whole)
        return whole

    def gemm(self, one: Value, other: Value, out: Value, beta: str) -> None:
        """out = one @ other + beta * out."""
        (m, k), n = one.shape, other.shape[1]
        name = "gemm32" if self.real == "np.float32" else "gemm64"
        self.body.append(
            f"{name}(blas, {one.is_turned}, {other.is_turned}, {dim(m)}, {dim(n)}, {dim(k)}, {self.pointer(one)}, "
            f"{self.pointer(other)}, {beta}, {self.pointer(out)})"
        )

    def _target(self, node: Node) -> Value:
        """Where a node's value goes: a place that was asked for, or a new room."""
        places = self.stores.get(node)
        return places[0] if places else self.room(shape_of(node))

    def _cat(self, node: Node) -> None:
        """The parts were written in place where that was possible; copy the others."""
        whole = self.values[node]
        row = 0
        for part in node.args[0]:
            value = self.values[part]
            start = f"{whole.start} + ({dim(row) if row else 0}) * ({count(whole.shape[1:])})"
            if not any((place.array, place.start) == (whole.array, start) for place in self.stores.get(part, ())):
                self.copy(value, Value(value.shape, whole.array, start))
            row += shape_of(part)[0]
        for place in self.stores.get(node, [])[1:]:
            self.copy(whole, place)

    def place(self, nodes: Sequence[Node], wanted: dict[Node, list[Value]]) -> None:
        """Say where values go: to the places that are wanted, and the parts of a concatenation to their place in it."""
        self.among, self.stores = set(nodes), wanted
        for node in reversed(nodes):
            if node.target is not aten.cat.default:
                continue
            whole = self.values[node] = self._target(node)
            row = 0
            for part in node.args[0]:
                start = f"{whole.start} + ({dim(row) if row else 0}) * ({count(whole.shape[1:])})"
                if part in self.among:
                    self.stores.setdefault(part, []).append(Value(shape_of(part), whole.array, start))
                row += shape_of(part)[0]

    def copy(self, value: Value, place: Value) -> None:
        """Write a value to a place, unless it lies there."""
        if (value.array, value.start) != (place.array, place.start):
            inputs = [value] + ([value.extra] if value.extra else [])
            self.loop([place], inputs, "out0[i] = in0[i]" + " + in1[i]" * (len(inputs) - 1), place.shape)

    def _sum(self, node: Node) -> None:
        value, axes = self._settled(node.args[0]), list(node.args[1])
        out = self._target(node)
        rows, columns = value.shape
        inputs = [value] + ([value.extra] if value.extra else [])
        term = "in0[i]" + (" + in1[i]" if value.extra else "")
        if axes not in ([0], [1]):
            raise Unsupported("a sum over both axes")
        inner = (SUM_OF_ROW if axes == [1] else SUM_OF_COLUMN).format(term=term)
        names = ", ".join(["out0", *(f"in{n}" for n in range(len(inputs)))])
        slices = ", ".join(self._slice(each) for each in [out, *inputs])
        name = self._function("sum", f"({names}, rows, columns):\n{inner}")
        self.body.append(f"{name}({slices}, {dim(rows)}, {dim(columns)})")
        self.values[node] = Value(shape_of(node), out.array, out.start)

    def _slice(self, value: Value) -> str:
        size = count(value.shape)
        return f"{value.array}[{value.start} : {value.start} + {size}]"

    def _pointwise(self, node: Node) -> None:
        shape = shape_of(node)
        if len(shape) != 2:
            raise Unsupported("a pointwise operator on other shapes than [H, B]")
        if self.group and shape_of(self.group[0]) != shape:
            self.flush()
        self.group.append(node)

    def flush(self) -> None:
        """Write the pointwise operators since the last flush as one loop."""
        group, self.group = self.group, []
        if not group:
            return
        shape = shape_of(group[0])
        inputs: list[Value] = []
        outputs: list[Value] = []
        lines: list[str] = []
        names: dict[Node, str] = {}
        is_flat = True

        def read(value: Value) -> str:
            nonlocal is_flat
            key = next(
                (
                    n
                    for n, other in enumerate(inputs)
                    if (other.array, other.start, other.shape) == (value.array, value.start, value.shape)
                ),
                None,
            )
            if key is None:
                key = len(inputs)
                inputs.append(Value(value.shape, value.array, value.start))
            if value.shape == shape:
                index = "i"
            else:
                is_flat = False
                by_row, by_column = value.shape[0] == shape[0], value.shape[-1] == shape[1]
                is_column, is_row = by_row and value.shape[1] == 1, by_column and value.shape[0] == 1
                if not (is_column or is_row):
                    raise Unsupported(f"shapes {value.shape} and {shape}")
                index = "r" if is_column else "b"
            text = f"in{key}[{index}]"
            return f"({text} + {read(value.extra)})" if value.extra is not None else text

        def operand(each: Any) -> str:
            if isinstance(each, fx.Node):
                return names[each] if each in names else read(self.values[each])
            is_size = each and each % SIZE == 0  # of a sum over H, its mean
            return f"{self.real}({dim(int(each)) if is_size else repr(float(each))})"

        for number, node in enumerate(group):
            if node.kwargs and node.target is not aten.zeros_like.default:
                raise Unsupported(f"{node.target} with {node.kwargs}")
            lines.append(f"v{number} = {POINTWISE[node.target](*map(operand, node.args))}")
            names[node] = f"v{number}"
            places = list(self.stores.get(node, ()))
            is_used = any(user in self.among and user not in group for user in node.users)
            if is_used and not places:
                places = [self.room(shape)]
            for place in places:
                lines.append(f"out{len(outputs)}[i] = v{number}")
                outputs.append(place)
            if places:
                self.values[node] = Value(shape, places[0].array, places[0].start)
        if not outputs:
            return
        self.loop(outputs, inputs, "\n".join(lines), shape, is_flat=is_flat)

    def loop(
        self, outputs: list[Value], inputs: list[Value], code: str, shape: Sequence[int], *, is_flat: bool = True
    ) -> None:
        arguments = [*(f"out{n}" for n in range(len(outputs))), *(f"in{n}" for n in range(len(inputs)))]
        if is_flat:
            inner = "\n".join(f"        {line}" for line in code.splitlines())
            text = f"({', '.join(arguments)}, H, n):\n    for i in range(n):\n{inner}\n"
            sizes = count(shape)
        else:
            inner = "\n".join(f"            {line}" for line in code.splitlines())
            text = (
                f"({', '.join(arguments)}, H, rows, columns):\n    for r in range(rows):\n"
                f"        for b in range(columns):\n            i = r * columns + b\n{inner}\n"
            )
            sizes = f"{dim(shape[0])}, {dim(shape[1])}"
        slices = ", ".join(self._slice(each) for each in [*outputs, *inputs])
        self.body.append(f"{self._function('loop', text)}({slices}, H, {sizes})")

    def _function(self, kind: str, text: str) -> str:
        """The name of the function of this text, which is compiled once."""
        return self.loops.setdefault(text, f"{kind}{len(self.loops)}")


def shape_of(node: Node) -> tuple[int, ...]:
    """The shape of a node in the trace."""
    return tuple(node.meta["tensor_meta"].shape)
