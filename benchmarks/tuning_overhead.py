"""What tuning costs beside the training that it runs, and what a second worker brings.

    pytest benchmarks/tuning_overhead.py -s

Both measure zoo.tune on the S&P 500 and plain LSTMs; give them an idle machine with two cores.
"""

import statistics
import time

import pytest

import zoo

MOST_OVERHEAD = 0.05
LEAST_SPEED_UP = 1.6
TRIALS = 30
TIMED = 16


@pytest.fixture(scope="module")
def data():
    pytest.importorskip("arch")
    return zoo.prepare(zoo.load("sp500"), targets=["close"], lookback=7)


def test_overhead_of_a_study(data, tmp_path, capsys):
    """Optuna, storage and bookkeeping are what a trial takes beyond the training inside it."""
    started = time.perf_counter()
    result = zoo.tune("lstm", data, trials=TRIALS, jobs=1, out=tmp_path)
    wall = time.perf_counter() - started
    trained = sum(trial.user_attrs["train_seconds"] for trial in result.study.trials)
    overhead = 1 - trained / result.cost.busy_seconds
    with capsys.disabled():
        print(
            f"\n{TRIALS} trials, {result.cost.pruned} pruned: {result.cost.busy_seconds:.1f} s, of which training "
            f"{trained:.1f} s, overhead {100 * overhead:.2f} %; with the worker's start and the pictures "
            f"{wall:.1f} s, {100 * (1 - trained / wall):.2f} %"
        )
    assert overhead < MOST_OVERHEAD


def test_two_jobs_beside_one(data, capsys):
    """Trials of the same size, which differ in dropout alone, without pruning, from the call to its end."""
    config = zoo.FitConfig(max_epochs=40, patience=0)
    fixed = ("batch_size", "learning_rate", "weight_decay", "optimizer", "schedule")
    fix = {"hidden_size": 64, **{f"fit.{name}": getattr(config, name) for name in fixed}}
    how = {"config": config, "fix": fix, "ranges": {"dropout": "0.1:0.3"}, "sampler": "random", "pruner": "none"}

    def seconds(jobs: int) -> float:
        started = time.perf_counter()
        result = zoo.tune("lstm", data, trials=TIMED, jobs=jobs, **how)
        assert result.cost.complete == TIMED
        return time.perf_counter() - started

    pairs = [(seconds(1), seconds(2)) for _ in range(3)]
    ratio = statistics.median(one / two for one, two in pairs)
    with capsys.disabled():
        shown = ", ".join(f"{one:.1f} s / {two:.1f} s" for one, two in pairs)
        print(f"\n{TIMED} trials, one job / two jobs: {shown}; median ratio {ratio:.2f}")
    assert ratio >= LEAST_SPEED_UP
