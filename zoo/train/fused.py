"""Fused: one training step of many models at once, captured as one CUDA graph.

A small model fills a hundredth of a GPU. Models that share data and batch size are either stacked (their weights get a
leading axis, and each operation serves all of them), or run as parallel branches of one graph.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from zoo.errors import InputError, first_line
from zoo.layers.batched import stackable_lstm
from zoo.train.config import FitConfig
from zoo.train.modes import WARM_UP, restored
from zoo.train.optimizer import Optimizer
from zoo.train.step import Step, autocast

ALIKE = ("device", "mode", "precision", "batch_size", "steps_per_epoch", "max_batches", "loss", "threads")
NEAR = 1e-4  # of the first loss, between a model alone and the same model in a stack
Works = Sequence[Callable[[], None]]
CaptureMany = Callable[[Works, int], Callable[[], None]]


class CannotFuse(Exception):
    """Why models cannot train in one graph."""


class TooLarge(CannotFuse):
    """Models that do not fit into the device's memory together; fewer may."""


class Fused(Protocol):
    """Models that train one step at once; `kind` is how."""

    kind: str

    def epoch(self, running: Sequence[int], orders: Tensor) -> list[float]:
        """Train the models in places `running` on the windows orders [R, n], and return their mean losses."""


Fuse = Callable[[Sequence[Step], Tensor], Fused]


def check_alike(configs: Sequence[FitConfig]) -> None:
    """Raise InputError unless the configs agree in what models in one graph share."""
    for name in ALIKE:
        values = list(dict.fromkeys(getattr(config, name) for config in configs))
        if len(values) > 1:
            raise InputError(f"models that train together need one {name}, got {', '.join(map(str, values))}")


def fused(steps: Sequence[Step], index: Tensor, capture: CaptureMany | None = None) -> Fused:
    """The steps stacked where that gives the same losses, else as branches; raises CannotFuse, or TooLarge.

    index: window numbers [B] to try them on. Weights and optimizers stay as they were.
    """
    if not steps[0].windows.is_even:
        raise CannotFuse("sequences differ in length; trained one by one")
    capture = capture or _cuda_capture_many
    name = f"cuda-graph of {len(steps)} models"
    try:
        try:
            return Stack(steps, index, capture)
        except CannotFuse:
            return Branches(steps, index, capture)
    except torch.OutOfMemoryError as error:
        raise TooLarge(f"{name}: out of memory") from error
    except Exception as error:  # whatever a capture raises, each model can train alone
        raise CannotFuse(f"{name}: {first_line(error)}; trained one by one") from error


class Branches:
    """Each model's own step on a stream of its own, all of them in one graph."""

    kind = "branches"

    def __init__(self, steps: Sequence[Step], index: Tensor, capture: CaptureMany) -> None:
        self.steps, self.capture, self.batch_size = steps, capture, len(index)
        self._prepare(range(len(steps)), index)

    def _prepare(self, members: Sequence[int], index: Tensor) -> None:
        self.members = list(members)
        self.place = index.repeat(len(self.members), 1)
        self.totals = torch.zeros(len(self.members), device=index.device)
        steps = [self.steps[member] for member in self.members]
        for step in steps:
            step.model.train()
        works = [partial(self._work, number, step) for number, step in enumerate(steps)]
        with restored([tensor for step in steps for tensor in step.state()]):
            self.replay = self.capture(works, WARM_UP)

    def _work(self, number: int, step: Step) -> None:
        self.totals[number].add_(step(self.place[number]))

    def epoch(self, running: Sequence[int], orders: Tensor) -> list[float]:
        """See Fused. Once half of the models have stopped, the others are captured again."""
        if len(running) <= len(self.members) // 2:
            self._prepare(running, self.place[0].clone())
        for member in running:
            self.steps[member].model.train()
        rows = torch.tensor([self.members.index(member) for member in running], device=orders.device)
        sums = torch.zeros(len(running), device=orders.device)
        self.totals.zero_()
        for index in orders.split(self.batch_size, dim=1):
            if index.shape[1] == self.batch_size:
                self.place[rows] = index
                self.replay()
            else:
                rest = [self.steps[member](part) for member, part in zip(running, index, strict=True)]
                sums.add_(torch.stack(rest), alpha=index.shape[1])
        sums.add_(self.totals[rows], alpha=self.batch_size)
        mean: list[float] = (sums / orders.shape[1]).tolist()
        return mean


class Stack:
    """One model whose weights are those of all: flat [K, P], the optimizer's only parameter."""

    kind = "stacked"

    def __init__(self, steps: Sequence[Step], index: Tensor, capture: CaptureMany) -> None:
        first = steps[0]
        if any(asdict(step.config) != asdict(first.config) for step in steps) or first.config.schedule == "plateau":
            raise CannotFuse("stacked models need one config, and none with the schedule plateau")
        if first.config.precision not in ("float32", "tf32"):
            raise CannotFuse(f"stacked models do not train in {first.config.precision}")
        if first.config.weight_dropout > 0:
            raise CannotFuse("stacked models keep all their weights in a step")
        shapes = [{name: p.shape for name, p in step.model.named_parameters()} for step in steps]
        if any(shape != shapes[0] for shape in shapes) or any(True for _ in first.model.buffers()):
            raise CannotFuse("stacked models need weights of equal shapes, and no buffers")
        if not all(parameter.requires_grad for parameter in first.model.parameters()):
            raise CannotFuse("stacked models train all their weights")
        self.steps, self.config, self.windows, self.capture = steps, first.config, first.windows, capture
        self.batch_size = len(index)
        self.model = copy.deepcopy(first.model).train()
        for module in self.model.modules():
            if isinstance(module, nn.LSTM):
                module.__dict__["forward"] = partial(stackable_lstm, module)
        self.shapes = shapes[0]
        self.sizes = [shape.numel() for shape in self.shapes.values()]
        self._gather_weights(range(len(steps)))
        self.optimizer = Optimizer([self.flat], self.config)
        try:
            with torch.no_grad():
                for model in (first.model, self.model):
                    model.eval()  # without dropout both must agree
                alone = first.forward(index)
                here = self._losses(index.repeat(len(steps), 1))[0]
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # vmap does not know every operation
            raise CannotFuse(first_line(error)) from error
        finally:
            for model in (first.model, self.model):
                model.train()
        if not torch.allclose(alone, here, rtol=NEAR):
            raise CannotFuse("stacked, the models give other losses")
        try:
            self._capture(index)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            raise CannotFuse(first_line(error)) from error

    def _gather_weights(self, members: Sequence[int]) -> None:
        self.members = list(members)
        rows = [
            torch.cat([p.detach().flatten() for p in self.steps[member].model.parameters()]) for member in self.members
        ]
        self.flat = nn.Parameter(torch.stack(rows))

    def _capture(self, index: Tensor) -> None:
        self.place = index.repeat(len(self.members), 1)
        self.totals = torch.zeros(len(self.members), device=index.device)
        self.norms, self.clipped = (torch.zeros(len(self.members), device=index.device) for _ in range(2))
        with restored([self.flat, *self.optimizer.state(), self.norms, self.clipped]):
            self.replay = self.capture([self._work], WARM_UP)

    def _work(self) -> None:
        self.totals.add_(self._step(self.place))

    def _losses(self, index_KB: Tensor) -> Tensor:
        """The loss of each model [K] on its windows."""
        x, y = self.windows.gather(index_KB.flatten())
        if self.model.training:
            x, y = self.steps[0].augment(x, y)
        shape = index_KB.shape
        parts = self.flat.split(self.sizes, dim=1)
        weights = {
            name: part.view(len(part), *size) for part, (name, size) in zip(parts, self.shapes.items(), strict=True)
        }
        loss = self.steps[0].loss_of

        def one(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            return loss(torch.func.functional_call(self.model, weights, (x,)), y)

        with autocast(self.config.precision, x.device):
            losses: Tensor = torch.vmap(one, randomness="different")(
                weights, x.view(*shape, *x.shape[1:]), y.reshape(*shape, *y.shape[1:])
            )
        return losses

    def _step(self, index_KB: Tensor) -> Tensor:
        losses = self._losses(index_KB)
        total = losses.sum()
        if self.config.l1 > 0:
            total = total + self.config.l1 * self.flat.abs().sum()
        self.optimizer.zero_grad()
        total.backward()
        gradient = self.flat.grad
        if gradient is not None:
            norms = torch.linalg.vector_norm(gradient, dim=1)
            self.norms.add_(norms)
            if self.config.clip_norm > 0:
                self.clipped.add_(norms > self.config.clip_norm)
                gradient.mul_((self.config.clip_norm / (norms + 1e-6)).clamp_(max=1.0)[:, None])
        self.optimizer.step()
        return losses.detach()

    def epoch(self, running: Sequence[int], orders: Tensor) -> list[float]:
        """See Fused. Once half of the models have stopped, the others are stacked and captured again."""
        if len(running) <= len(self.members) // 2:
            self._shrink(running)
        self._follow_schedule(running[0])
        rows = torch.tensor([self.members.index(member) for member in running], device=orders.device)
        sums = torch.zeros(len(self.members), device=orders.device)
        for room in (self.totals, self.norms, self.clipped):
            room.zero_()
        for index in orders.split(self.batch_size, dim=1):
            if index.shape[1] == self.batch_size:
                self.place[rows] = index
                self.replay()
            else:
                every = self.place[:, : index.shape[1]].clone()
                every[rows] = index
                sums.add_(self._step(every), alpha=index.shape[1])
        sums.add_(self.totals, alpha=self.batch_size)
        self._hand_back(running)
        mean: list[float] = (sums[rows] / orders.shape[1]).tolist()
        return mean

    def _hand_back(self, running: Sequence[int]) -> None:
        """Copy the weights to the models, which validate with them, and what was measured of their gradients."""
        with torch.no_grad():
            for member in running:
                place = self.members.index(member)
                self.steps[member].optimizer.norms.copy_(self.norms[place])
                self.steps[member].optimizer.clipped.copy_(self.clipped[place])
                row = self.flat[place]
                targets: list[Tensor] = list(self.steps[member].model.parameters())
                sources = [
                    part.view(size) for part, size in zip(row.split(self.sizes), self.shapes.values(), strict=True)
                ]
                torch._foreach_copy_(targets, sources)

    def _shrink(self, running: Sequence[int]) -> None:
        rows = [self.members.index(member) for member in running]
        before = self.optimizer
        self._gather_weights(running)
        self.optimizer = Optimizer([self.flat], self.config)
        with torch.no_grad():
            for target, value in zip(self.optimizer.state(), before.state(), strict=True):
                target.copy_(value[rows] if value.dim() else value)
        self._capture(self.place[0])

    def _follow_schedule(self, member: int) -> None:
        self.optimizer.learning_rate = self.steps[member].optimizer.learning_rate


def _cuda_capture_many(works: Works, warm_up: int) -> Callable[[], None]:
    """Warm the works up, each on a stream of its own, and capture one run of all, forked and joined."""
    streams = [torch.cuda.Stream() for _ in works]

    def run() -> None:
        here = torch.cuda.current_stream()
        for stream, work in zip(streams, works, strict=True):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                work()
        for stream in streams:
            here.wait_stream(stream)

    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(warm_up):
            run()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay
