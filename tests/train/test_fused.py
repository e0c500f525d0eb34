"""Models that train in one graph learn what each of them learns alone."""

from functools import partial

import pytest
import torch
from torch import nn

import zoo
from zoo.errors import InputError
from zoo.layers.batched import ManyLayers, one_projected_layer, stackable_lstm
from zoo.train.fit import fit_many
from zoo.train.fused import CannotFuse, Stack, fused
from zoo.train.step import Step

CONFIG = {"max_epochs": 6, "patience": 2, "batch_size": 32, "device": "cpu"}
SEEDS = [0, 1, 2]


def by_calling(works, warm_up):
    """A stand-in for CUDA's capture: it warms up and runs as that does, and replays by running again."""

    def run():
        for work in works:
            work()

    for _ in range(warm_up + 1):
        run()
    return run


def noting(kinds, steps, index):
    together = fused(steps, index, by_calling)
    kinds.append(together.kind)
    return together


def both_ways(data, name, configs, **params):
    """Histories and models trained together and alone, and how they trained together."""
    kinds = []
    models, alone = ([zoo.create(name, data.problem, seed=seed, **params) for seed in SEEDS] for _ in range(2))
    together = fit_many(models, data.train, data.valid, configs, seeds=SEEDS, fuse=partial(noting, kinds))
    histories = [
        zoo.fit(model, data.train, data.valid, config, seed=seed)
        for model, config, seed in zip(alone, configs, SEEDS, strict=True)
    ]
    return list(zip(together, histories, models, alone, strict=True)), kinds


def assert_alike(pairs, **tolerance):
    for fused_history, history, model, alone in pairs:
        assert fused_history.best_epoch == history.best_epoch
        assert len(fused_history.epochs) == len(history.epochs)
        assert fused_history.stopped == history.stopped
        for one, other in zip(fused_history.epochs, history.epochs, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, rel=1e-5)
            assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-3)
            assert one.clipped == pytest.approx(other.clipped, abs=0.01)
        for one, other in zip(model.parameters(), alone.parameters(), strict=True):
            torch.testing.assert_close(one, other, **tolerance)


TRAINED = ["lstm", "stacked-lstm", "bilstm", "attention-lstm", "cnn-lstm", "ar-lstm", "proj-lstm", "linear"]


def test_stacked_models_train_on_augmented_windows(data):
    losses = []
    for settings in ({}, {"masking": 0.5}):
        pairs, kinds = both_ways(data, "lstm", [zoo.FitConfig(**CONFIG, **settings)] * 3)
        assert kinds == ["stacked"]
        losses.append([history.epochs[0].train_loss for history, *_ in pairs])
    assert not set(losses[0]) & set(losses[1])


@pytest.mark.parametrize("name", TRAINED)
def test_seeds_stacked_learn_what_each_learns_alone(data, name):
    pairs, kinds = both_ways(data, name, [zoo.FitConfig(**CONFIG)] * 3)
    assert kinds == ["stacked"]
    assert_alike(pairs, rtol=1e-4, atol=1e-5)
    assert all(history.together == 3 for history, *_ in pairs)


@pytest.mark.parametrize("name", ["lstm", "proj-lstm"])
def test_models_of_different_configs_run_as_branches_bit_for_bit(data, name):
    changes = [{}, {"learning_rate": 3e-3, "schedule": "plateau"}, {"weight_decay": 0.1, "optimizer": "adamw"}]
    pairs, kinds = both_ways(data, name, [zoo.FitConfig(**CONFIG, **change) for change in changes])
    assert kinds == ["branches"]
    assert_alike(pairs, rtol=0, atol=0)


@pytest.mark.parametrize("configs", [[{}] * 3, [{}, {"weight_decay": 0.1}, {}]], ids=["stacked", "branches"])
def test_a_model_that_stops_early_leaves_the_others_as_they_are_alone(data, configs):
    config = {**CONFIG, "max_epochs": 20, "patience": 2, "learning_rate": 3e-2}
    pairs, _ = both_ways(data, "lstm", [zoo.FitConfig(**{**config, **change}) for change in configs], hidden_size=16)
    assert len({len(history.epochs) for history, *_ in pairs}) > 1  # else this tests nothing
    for history, alone, *_ in pairs:
        assert len(history.epochs) == len(alone.epochs)
        assert history.best_epoch == alone.best_epoch
        for one, other in zip(history.epochs, alone.epochs, strict=True):  # also those after the others have stopped
            assert one.train_loss == pytest.approx(other.train_loss, rel=1e-3)


def test_a_model_that_diverges_costs_itself_alone(data):
    models = [zoo.create("lstm", data.problem, seed=seed) for seed in SEEDS]
    with torch.no_grad():
        next(models[1].parameters()).fill_(float("nan"))
    config = zoo.FitConfig(**CONFIG)
    outcomes = fit_many(models, data.train, None, [config] * 3, seeds=SEEDS, fuse=partial(noting, []))
    assert isinstance(outcomes[1], zoo.Diverged)
    assert [outcome.stopped for outcome in (outcomes[0], outcomes[2])] == ["max_epochs"] * 2


def test_l1_clipping_and_a_cosine_schedule_act_on_each_model_of_a_stack(data):
    config = zoo.FitConfig(**CONFIG, l1=1e-3, clip_norm=0.05, schedule="cosine", optimizer="sgd", learning_rate=1e-2)
    pairs, kinds = both_ways(data, "lstm", [config] * 3)
    assert kinds == ["stacked"]
    assert_alike(pairs, rtol=1e-4, atol=1e-5)


def test_models_that_no_graph_takes_train_one_by_one_and_say_why(data):
    def refuse(*_):
        raise CannotFuse("too wide")

    models = [zoo.create("linear", data.problem, seed=seed) for seed in SEEDS]
    histories = fit_many(models, data.train, data.valid, [zoo.FitConfig(**CONFIG)] * 3, seeds=SEEDS, fuse=refuse)
    assert [history.fallback for history in histories] == ["too wide"] * 3
    assert all(history.together == 1 for history in histories)


@pytest.mark.parametrize("changes", [[{}] * 5, [{"weight_decay": 0.01 * n} for n in range(5)]], ids=["stack", "branch"])
def test_models_that_do_not_fit_into_memory_together_train_in_halves(data, changes):
    kinds = []

    def room_for_three(works, warm_up):
        count = len(works) if len(works) > 1 else works[0].__self__.place.shape[0]
        if count > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return by_calling(works, warm_up)

    def fuse(steps, index):
        together = fused(steps, index, room_for_three)
        kinds.append((together.kind, len(steps)))
        return together

    seeds, configs = list(range(5)), [zoo.FitConfig(**{**CONFIG, **change}) for change in changes]
    models, alone = ([zoo.create("lstm", data.problem, seed=seed) for seed in seeds] for _ in range(2))
    heard = []
    histories = fit_many(
        models, data.train, data.valid, configs, seeds=seeds, fuse=fuse, on_epoch=lambda place, _: heard.append(place)
    )
    kind = "stacked" if not changes[1] else "branches"
    assert kinds == [(kind, 2), (kind, 3)] and [history.together for history in histories] == [2, 2, 3, 3, 3]
    assert set(heard) == set(seeds) and all(history.fallback is None for history in histories)
    pairs = [
        (history, zoo.fit(model, data.train, data.valid, config, seed=seed), own, model)
        for history, own, model, config, seed in zip(histories, models, alone, configs, seeds, strict=True)
    ]
    assert_alike(pairs, rtol=1e-4, atol=1e-5)


def test_models_of_different_batch_sizes_are_refused(data):
    models = [zoo.create("linear", data.problem, seed=seed) for seed in range(2)]
    configs = [zoo.FitConfig(batch_size=size) for size in (32, 64)]
    with pytest.raises(InputError, match="one batch_size, got 32, 64"):
        fit_many(models, data.train, data.valid, configs, seeds=[0, 1])


def test_weights_of_different_shapes_are_not_stacked(data):
    steps = [
        Step(zoo.create("lstm", data.problem, hidden_size=size), data.train, zoo.FitConfig(**CONFIG))
        for size in (8, 16)
    ]
    with pytest.raises(CannotFuse, match="equal shapes"):
        Stack(steps, torch.arange(32), by_calling)


def test_models_with_weights_that_do_not_learn_are_not_stacked(data):
    models = [zoo.create("lstm", data.problem, seed=seed) for seed in range(2)]
    for model in models:
        next(model.parameters()).requires_grad_(False)
    steps = [Step(model, data.train, zoo.FitConfig(**CONFIG)) for model in models]
    with pytest.raises(CannotFuse, match="train all their weights"):
        Stack(steps, torch.arange(32), by_calling)


@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2}, {"bidirectional": True, "num_layers": 2}, {"proj_size": 3}, {"bias": False}]
)
@pytest.mark.parametrize("has_start", [False, True])
def test_a_stackable_lstm_is_nn_lstm_with_all_its_gradients(options, has_start):
    torch.manual_seed(0)
    layers = [nn.LSTM(3, 5, batch_first=True, **options).double() for _ in range(2)]
    x = torch.randn(2, 4, 6, 3, dtype=torch.float64, requires_grad=True)
    count = layers[0].num_layers * (2 if layers[0].bidirectional else 1)
    out = layers[0].proj_size or 5
    start = [torch.randn(2, count, 4, size, dtype=torch.float64, requires_grad=True) for size in (out, 5)]
    weights = {
        name: torch.stack([dict(layer.named_parameters())[name].detach() for layer in layers]).requires_grad_()
        for name, _ in layers[0].named_parameters()
    }
    skeleton = nn.LSTM(3, 5, batch_first=True, **options).double()
    skeleton.__dict__["forward"] = partial(stackable_lstm, skeleton)

    def one(weights, x, h, c):
        states, (last, cell) = torch.func.functional_call(skeleton, weights, (x, (h, c) if has_start else None))
        return states, last, cell

    theirs = []
    for layer, x_1, h_1, c_1 in zip(layers, x, *start, strict=True):
        states, (last, cell) = layer(x_1, (h_1, c_1) if has_start else None)
        theirs.append((states, last, cell))
    ours = torch.vmap(one)(weights, x, *start)
    stacked = [torch.stack(parts) for parts in zip(*theirs, strict=True)]
    for own, other in zip(ours, stacked, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-10)
    shown = [torch.randn_like(own) for own in ours]
    inputs = [x, *(start if has_start else [])]
    grads = torch.autograd.grad(ours, [*inputs, *weights.values()], shown)
    parameters = [dict(layer.named_parameters())[name] for name in weights for layer in layers]
    expected = torch.autograd.grad(stacked, [*inputs, *parameters], shown)
    for own, other in zip(grads[: len(inputs)], expected[: len(inputs)], strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-10)
    for place, own in enumerate(grads[len(inputs) :]):
        pair = expected[len(inputs) + 2 * place :][:2]
        torch.testing.assert_close(own, torch.stack(pair), rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_one_projected_layer_is_nn_lstm():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 8, batch_first=True, proj_size=4).double()
    x = torch.randn(5, 7, 3, dtype=torch.float64)
    ours, theirs = one_projected_layer(lstm, x), lstm(x)[0]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
    grads = [torch.autograd.grad(states.square().sum(), list(lstm.parameters())) for states in (ours, theirs)]
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def a_gpu():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.mark.gpu
@pytest.mark.parametrize("projected", [False, True])
def test_a_layers_kernels_on_a_gpu_give_what_the_cpu_gives(projected):
    a_gpu()
    torch.manual_seed(0)
    length, models, batch, size, out = 6, 3, 4, 8, 5 if projected else 8
    shapes = [(models, length, batch, 4 * size), (models, batch, out), (models, batch, size), (models, 4 * size, out)]
    tensors = [torch.randn(shape) for shape in shapes]
    tensors.append(torch.randn(models, out, size) if projected else None)
    results = []
    for device in ("cpu", "cuda"):
        here = [None if tensor is None else tensor.to(device).requires_grad_() for tensor in tensors]
        outs = ManyLayers.apply(*here)
        grads = torch.autograd.grad(sum(part.sin().sum() for part in outs), [each for each in here if each is not None])
        results.append([part.cpu() for part in (*outs, *grads)])
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("changes", [[{}] * 3, [{}, {"weight_decay": 0.1}, {}]], ids=["stacked", "branches"])
def test_models_in_one_cuda_graph_learn_what_each_learns_alone(data, name, changes):
    a_gpu()
    kinds = []

    def noted(steps, index):
        together = fused(steps, index)
        kinds.append(together.kind)
        return together

    config = {**CONFIG, "device": "cuda", "max_epochs": 3}
    configs = [zoo.FitConfig(**config, **change) for change in changes]
    models, alone = ([zoo.create(name, data.problem, seed=seed) for seed in SEEDS] for _ in range(2))
    histories = fit_many(models, data.train, data.valid, configs, seeds=SEEDS, fuse=noted)
    assert kinds == ["stacked" if changes[1] == {} else "branches"]
    for history, model, other, config, seed in zip(histories, models, alone, configs, SEEDS, strict=True):
        expected = zoo.fit(other, data.train, data.valid, config, seed=seed)
        assert expected.fallback is None
        assert history.together == 3
        for one, two in zip(history.epochs, expected.epochs, strict=True):
            assert one.train_loss == pytest.approx(two.train_loss, rel=1e-4)
        for one, two in zip(model.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-3)
