"""A mode changes how a training step runs, not what it computes."""

import pytest
import torch

import zoo
from tests.layers.test_lstm_kernel import needs_numba
from zoo.errors import InputError
from zoo.layers import lstm_kernel
from zoo.layers.lstm_kernel import replaceable
from zoo.problem import EXAMPLE
from zoo.train.fit import fit
from zoo.train.modes import captured, check_mode, prepared
from zoo.train.step import Step

CONFIG = {"max_epochs": 2, "batch_size": 32, "device": "cpu"}


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def a_step(data, **config):
    model = zoo.create("stacked-lstm", data.problem, hidden_size=16).train()
    return Step(model, data.train, zoo.FitConfig(**{**CONFIG, **config}))


def by_calling(work, warm_up):
    """A stand-in for CUDA's capture: it warms up and runs as that does, and replays by running again."""
    for _ in range(warm_up + 1):
        work()
    place = torch.zeros(())
    return lambda: place.copy_(work()), place


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_a_captured_step_trains_as_the_step_itself_does(data, optimizer):
    plain, graph = a_step(data, optimizer=optimizer), a_step(data, optimizer=optimizer)
    batches = torch.arange(96).split(32)
    mode = captured(graph, batches[0], by_calling)
    for index in batches:
        assert torch.equal(mode.run(index), plain(index))
    for ours, theirs in zip(weights(graph.model), weights(plain.model), strict=True):
        assert torch.equal(ours, theirs)


def test_a_capture_leaves_weights_and_optimizer_as_they_were(data):
    step = a_step(data)
    before = weights(step.model)
    captured(step, torch.arange(32), by_calling)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(step.model), strict=True))
    assert all(value.count_nonzero() == 0 for value in step.optimizer.state())


def test_a_capture_that_fails_midway_leaves_weights_as_they_were(data):
    step = a_step(data)
    before = weights(step.model)

    def breaking(work, _):
        work()
        raise RuntimeError("operation not permitted when stream is capturing")

    with pytest.raises(RuntimeError):
        captured(step, torch.arange(32), breaking)
    assert all(torch.equal(a, b) for a, b in zip(before, weights(step.model), strict=True))


def test_a_capture_that_fails_falls_back_to_eager_and_says_why(data, monkeypatch):
    def refuse(*_):
        raise RuntimeError("capture is not possible\nmore lines")

    monkeypatch.setattr("zoo.train.modes._cuda_capture", refuse)
    monkeypatch.setattr("zoo.train.modes.check_mode", lambda *_: None)
    monkeypatch.setattr("zoo.train.fit.check_mode", lambda *_: None)
    eager, fallen = (zoo.create("lstm", data.problem, dropout=0.3) for _ in range(2))
    first = zoo.fit(eager, data.train, data.valid, zoo.FitConfig(**CONFIG))
    second = zoo.fit(fallen, data.train, data.valid, zoo.FitConfig(mode="cuda-graph", **CONFIG))
    assert first.fallback is None
    assert second.fallback == "cuda-graph: capture is not possible; ran eager"
    for a, b in zip(weights(eager), weights(fallen), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)  # a learning rate in float32 rounds once more


def test_cuda_graph_needs_cuda(data):
    with pytest.raises(InputError, match="cuda-graph needs device cuda, got cpu"):
        check_mode("cuda-graph", torch.device("cpu"))
    with pytest.raises(InputError, match="cuda-graph needs device cuda"):
        zoo.fit(zoo.create("lstm", data.problem), data.train, None, zoo.FitConfig(mode="cuda-graph", device="cpu"))


@pytest.mark.process  # the C++ compiler
@pytest.mark.filterwarnings("ignore")  # the compiler's own, of what it imports
def test_a_compiled_step_trains_as_the_step_itself_does(data):
    pytest.importorskip("torch._inductor")
    eager, fast = (zoo.create("linear", data.problem) for _ in range(2))
    zoo.fit(eager, data.train, data.valid, zoo.FitConfig(**CONFIG))
    history = zoo.fit(fast, data.train, data.valid, zoo.FitConfig(mode="compile", **CONFIG))
    assert history.fallback is None or "ompiler" in history.fallback  # where no C++ compiler is
    for a, b in zip(weights(eager), weights(fast), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["lstm", "stacked-lstm", "attention-lstm", "proj-lstm"])
def test_a_cuda_graph_trains_as_the_step_itself_does_on_a_gpu(data, name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    config = {**CONFIG, "device": "cuda"}
    eager, graph = (zoo.create(name, data.problem) for _ in range(2))
    zoo.fit(eager, data.train, data.valid, zoo.FitConfig(**config))
    history = zoo.fit(graph, data.train, data.valid, zoo.FitConfig(mode="cuda-graph", **config))
    assert history.fallback is None
    for a, b in zip(weights(eager), weights(graph), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_a_cuda_graph_gathers_targets_that_lie_apart(prices):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    data = zoo.prepare(zoo.load(prices), targets=["open", "close"], normalise="instance")
    for name in ("lstm", "linear"):
        config = zoo.FitConfig(mode="cuda-graph", max_epochs=1, batch_size=32, device="cuda")
        assert zoo.fit(zoo.create(name, data.problem), data.train, data.valid, config).fallback is None


WITH_LSTM = [name for name in zoo.list_models() if replaceable(zoo.create(name, EXAMPLE))]


@needs_numba
@pytest.mark.parametrize("name", WITH_LSTM)
def test_a_step_with_kernels_trains_as_the_step_itself_does(data, name):
    steps = []
    for mode in ("eager", "kernel"):
        model = zoo.create(name, data.problem).train()
        random = torch.Generator().manual_seed(0)
        for parameter in model.parameters():  # a head of zeros sends no gradient back
            parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=random))
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout | torch.nn.LSTM):  # each way draws its own
                module.__dict__["p" if isinstance(module, torch.nn.Dropout) else "dropout"] = 0.0
        steps.append(Step(model, data.train, zoo.FitConfig(**CONFIG, mode=mode)))
    index = torch.arange(32)
    mode = prepared(steps[1], index)
    assert mode.name == "kernel" and mode.fallback is None
    for batch in index.split(16):
        assert float(mode.run(batch)) == pytest.approx(float(steps[0](batch)), rel=1e-4)
    for own, other in zip(steps[1].parameters, steps[0].parameters, strict=True):
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-3, atol=1e-5)


def test_kernels_are_for_lstm_layers_on_a_cpu(data):
    step = Step(zoo.create("linear", data.problem), data.train, zoo.FitConfig(**CONFIG, mode="kernel"))
    assert prepared(step, torch.arange(8)).fallback == (
        "kernel: the variant has no nn.LSTM layer without a projection; ran eager"
    )
    with pytest.raises(InputError, match="mode kernel needs device cpu, got cuda; choose auto"):
        check_mode("kernel", torch.device("cuda"))
    step = a_step(data, mode="kernel", precision="bfloat16")
    mode = prepared(step, torch.arange(8))
    assert (mode.name, mode.run, step.optimizer.compiled) == ("eager", step, None)
    assert mode.fallback == "kernel: it computes in float32, got precision bfloat16; ran eager"


@needs_numba
def test_a_step_with_kernels_runs_compiled_code_alone(data, monkeypatch):
    """Layers and the update, and PyTorch's own only where nothing can be kept of what is compiled."""
    step, calls = a_step(data, mode="kernel"), []
    compiled = lstm_kernel._by_compiled_code
    monkeypatch.setattr(lstm_kernel, "_by_compiled_code", lambda *given: calls.append("layers") or compiled(*given))
    run = prepared(step, torch.arange(8)).run
    update = step.optimizer.compiled
    step.optimizer.compiled = lambda *given: calls.append("update") or update(*given)
    run(torch.arange(8))
    assert calls == ["layers", "update"]

    def cannot(*_):
        raise RuntimeError("cannot cache function '_adam': no locator available")

    step = a_step(data, mode="kernel")
    monkeypatch.setattr(step.optimizer, "compile", cannot)
    assert prepared(step, torch.arange(8)).fallback.startswith("kernel: cannot cache function '_adam'")


@needs_numba
def test_fit_with_kernels_reaches_what_fit_reaches(data):
    losses = []
    for mode in ("eager", "kernel"):
        model = zoo.create("lstm", data.problem, hidden_size=16)
        config = zoo.FitConfig(**{**CONFIG, "max_epochs": 3}, mode=mode)
        history = fit(model, data.train, data.valid, config)
        assert history.fallback is None
        losses.append([epoch.valid_loss for epoch in history.epochs])
        assert all("forward" not in vars(module) for module in model.modules())
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
