import math
from dataclasses import replace

import pytest
import torch

import zoo
from zoo.seeding import stream_seed
from zoo.train.predict import validation_loss
from zoo.train.step import subnormals_as_zero

FAST = {"max_epochs": 3, "batch_size": 32}


def fitted(data, *, name="lstm", seed=0, valid=True, **config):
    model = zoo.create(name, data.problem, seed=seed, **({"hidden_size": 8} if "lstm" in name else {}))
    config = zoo.FitConfig(**{**FAST, **config})
    history = zoo.fit(model, data.train, data.valid if valid else None, config, seed=seed)
    return model, history


def same(first, second):
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"optimizer": "adamw", "weight_decay": 0.1},
        {"optimizer": "sgd", "learning_rate": 0.1},
        {"schedule": "cosine"},
        {"schedule": "plateau"},
        {"loss": "mse"},
        {"loss": "huber"},
        {"batch_size": "all", "max_epochs": 150},
        {"clip_norm": 0},
        {"l1": 1e-3},
    ],
    ids=str,
)
def test_training_learns_and_repeats_bit_for_bit(data, config):
    config = {"max_epochs": 30, **config}
    first, history = fitted(data, **config)
    second, again = fitted(data, **config)
    assert same(first, second)
    assert [e.valid_loss for e in history.epochs] == [e.valid_loss for e in again.epochs]
    assert validation_loss(first, data.valid, zoo.FitConfig(**config)) < 0.9 * history.initial_valid_loss


def test_seed_changes_batches_and_dropout_but_not_the_global_state(data):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    models = []
    for seed in (0, 1):
        model = zoo.create("lstm", data.problem, seed=0, hidden_size=8, dropout=0.5)
        zoo.fit(model, data.train, data.valid, zoo.FitConfig(**FAST), seed=seed)
        models.append(model)
    assert not same(*models)
    assert torch.equal(torch.rand(2), expected)


def test_streams_of_one_seed_are_apart():
    assert len({stream_seed(seed, purpose) for seed in (0, 1) for purpose in ("weights", "dropout")}) == 4


@pytest.mark.parametrize("min_delta", [0.0, 0.02, 0.1])
def test_best_weights_are_restored(data, min_delta):
    model, history = fitted(data, max_epochs=40, learning_rate=0.02, min_delta=min_delta)
    best, number = history.initial_valid_loss, 0
    for epoch in history.epochs:
        if epoch.valid_loss < best * (1 - min_delta):
            best, number = epoch.valid_loss, epoch.number
    assert 0 < history.best_epoch == number < len(history.epochs)
    assert validation_loss(model, data.valid, zoo.FitConfig()) == best
    assert not model.training


def test_patience_stops_and_zero_never_does(data):
    _, history = fitted(data, max_epochs=500, learning_rate=0.05, patience=3)
    assert history.stopped == "patience"
    assert len(history.epochs) == history.best_epoch + 3
    _, history = fitted(data, max_epochs=40, learning_rate=0.05, patience=0)
    assert (history.stopped, len(history.epochs)) == ("max_epochs", 40)


def test_model_that_never_improves_keeps_its_start(prices):
    """Trained on a wave, validated on a line of its own making: nothing learned holds there."""
    prices.loc[200:239, "close"] = 100.0
    data = zoo.prepare(zoo.load(prices), targets=["close"], channels=["close"], split=(200, 40, 60))
    data = replace(data, valid=replace(data.valid, starts=data.valid.starts[20:33]))
    model, history = fitted(data, max_epochs=3)
    assert history.initial_valid_loss == 0
    assert history.best_epoch == 0
    assert same(model, zoo.create("lstm", data.problem, hidden_size=8))


def test_without_validation_the_last_weights_stay(data):
    _, history = fitted(data, valid=False, patience=1)
    assert len(history.epochs) == history.best_epoch == 3
    assert [epoch.valid_loss for epoch in history.epochs] == [None] * 3


def test_history_counts_every_epoch(data):
    seen = []
    model = zoo.create("lstm", data.problem, hidden_size=8)
    history = zoo.fit(model, data.train, data.valid, zoo.FitConfig(**FAST), on_epoch=seen.append)
    assert seen == history.epochs
    assert [epoch.number for epoch in seen] == [1, 2, 3]
    for epoch in seen:
        assert epoch.windows_per_second == pytest.approx(len(data.train) / epoch.seconds)
        assert math.isfinite(epoch.train_loss)
    assert history.seconds > sum(epoch.seconds for epoch in seen)


def test_train_loss_is_the_mean_over_windows_not_batches(data):
    model = zoo.create("naive", data.problem)
    before = validation_loss(model, data.train, zoo.FitConfig(loss="mse"))
    learner = zoo.create("lstm", data.problem, hidden_size=8)
    how = zoo.FitConfig(max_epochs=1, batch_size=150, learning_rate=1e-12, loss="mse")
    history = zoo.fit(learner, data.train, None, how)
    assert len(data.train) % 150 != 0
    assert history.epochs[0].train_loss == pytest.approx(before, rel=1e-4)


def test_sgd_step_is_the_gradient_with_its_decay(data):
    """One full-batch step against arithmetic."""
    model = zoo.create("linear", data.problem)
    how = zoo.FitConfig(
        max_epochs=1, batch_size="all", optimizer="sgd", momentum=0.0, learning_rate=0.1, clip_norm=0.0,
        weight_decay=0.5, loss="mse",
    )  # fmt: skip
    with torch.no_grad():
        model.variant.weight.fill_(0.2)
    twin = zoo.create("linear", data.problem)
    twin.load_state_dict(model.state_dict())
    x, y = next(data.train.batches(10_000))
    (twin(x) - y).square().mean().backward()
    zoo.fit(model, data.train, None, how)
    for trained, start in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(trained, start - 0.1 * (start.grad + 0.5 * start), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batches", [1, 3, 7, 8, 20])
def test_batch_budget_is_met_to_the_batch(data, batches):
    steps = math.ceil(len(data.train) / 32)
    _, history = fitted(data, max_batches=batches, max_epochs=100, patience=0)
    whole, rest = divmod(batches, steps)
    assert len(history.epochs) == whole + (rest > 0)
    assert history.stopped == "max_batches"
    uncapped, _ = fitted(data, max_epochs=len(history.epochs), patience=0, valid=False)
    capped, _ = fitted(data, max_batches=batches, max_epochs=100, patience=0, valid=False)
    assert same(uncapped, capped) == (rest == 0)


def test_batch_budget_beyond_the_epochs_changes_nothing(data):
    free, history = fitted(data)
    capped, same_history = fitted(data, max_batches=10_000)
    assert same(free, capped)
    assert history.stopped == same_history.stopped == "max_epochs"


def test_cosine_ends_at_the_end_of_a_batch_budget(data):
    steps = math.ceil(len(data.train) / 32)
    free, _ = fitted(data, max_epochs=2, schedule="cosine")
    capped, _ = fitted(data, max_epochs=100, max_batches=2 * steps, schedule="cosine")
    assert same(free, capped)


def test_time_budget_ends_after_the_epoch_that_exceeds_it(data):
    _, history = fitted(data, max_seconds=1e-9, max_epochs=100)
    assert len(history.epochs) == 1
    assert history.stopped == "max_seconds"
    _, history = fitted(data, max_seconds=1000.0)
    assert history.stopped == "max_epochs"


def test_divergence_names_epoch_and_learning_rate(data):
    with pytest.raises(zoo.Diverged, match=r"diverged in epoch \d+: the \w+ loss is \w+ at learning_rate 1e\+20"):
        fitted(data, learning_rate=1e20, optimizer="sgd", clip_norm=0, max_epochs=50)


def test_baselines_take_no_epochs(data):
    for name in zoo.list_models(tag="deterministic"):
        _, history = fitted(data, name=name)
        assert (history.epochs, history.stopped) == ([], "solved")


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"max_epoch": 3}, "unknown parameter 'max_epoch' of fit; did you mean 'max_epochs'"),
        ({"max_epochs": 0}, "max_epochs must be >= 1, got 0"),
        ({"batch_size": 0}, "batch_size must be >= 1, got 0"),
        ({"batch_size": "some"}, "batch_size must be a whole number or one of 'all', got 'some'"),
        ({"learning_rate": 0}, "learning_rate must be > 0, got 0"),
        ({"learning_rate": math.nan}, "learning_rate must be a finite number, got nan"),
        ({"optimizer": "adamm"}, "optimizer must be one of 'adam', 'adamw', 'sgd', got 'adamm'"),
        ({"momentum": 1.0}, "momentum must be < 1"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
        ({"threads": 10**6}, "threads must be <= 1024, got 1000000"),
        ({"weight_decay": -1}, "weight_decay must be >= 0"),
        ({"device": "tpu"}, "device must be one of 'auto', 'cpu', 'cuda', 'mps', got 'tpu'"),
    ],
)
def test_wrong_setting_is_refused(settings, rule):
    with pytest.raises(zoo.InputError, match=rule):
        zoo.FitConfig.of(settings)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_are_the_configs_in_fit_and_the_callers_after_it(data, threads):
    torch.set_num_threads(3)
    seen = []
    model = zoo.create("lstm", data.problem, hidden_size=8)
    config = zoo.FitConfig(max_epochs=1, threads=threads)
    zoo.fit(model, data.train, data.valid, config, on_epoch=lambda _: seen.append(torch.get_num_threads()))
    assert (seen, torch.get_num_threads()) == ([threads], 3)

    def fail(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        zoo.fit(model, data.train, data.valid, config, on_epoch=fail)
    assert torch.get_num_threads() == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without CUDA")
def test_absent_device_is_refused(data):
    with pytest.raises(zoo.InputError, match="device 'cuda' is not available here"):
        fitted(data, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_fit_on_cuda_follows_the_cpu(data):
    on_cpu, on_gpu = fitted(data, device="cpu"), fitted(data, device="cuda")
    assert next(on_gpu[0].parameters()).device.type == "cuda"
    expected, rmse = zoo.evaluate(on_cpu[0], data.test)["rmse"], zoo.evaluate(on_gpu[0], data.test)["rmse"]
    assert rmse == pytest.approx(expected, rel=1e-3)


def test_gradients_that_fade_do_not_slow_a_step_and_the_setting_comes_back():
    tiny = torch.tensor(1e-39)
    for is_zero in (False, True, False):
        torch.set_flush_denormal(is_zero)
        with subnormals_as_zero():
            assert tiny * 1 == 0
        assert (tiny * 1 == 0) == is_zero
        with pytest.raises(KeyError), subnormals_as_zero():
            raise KeyError
        assert (tiny * 1 == 0) == is_zero


def test_training_takes_subnormals_as_zero_and_leaves_the_setting_of_the_caller(prices):
    data = zoo.prepare(zoo.load(prices), targets=["close"])
    model, seen = zoo.create("lstm", data.problem, hidden_size=16), []
    model.variant.head.register_full_backward_hook(lambda *_: seen.append(bool(torch.tensor(1e-39) * 1 == 0)))
    zoo.fit(model, data.train, data.valid, zoo.FitConfig(max_epochs=1))
    assert seen and all(seen) and torch.tensor(1e-39) * 1 != 0
