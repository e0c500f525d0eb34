"""What is scored on which block, with workers that answer at once."""

import time

import numpy as np
import pytest

import zoo
from zoo.selection import search as module
from zoo.selection.blocks import judged_blocks
from zoo.selection.score import Candidate, Score, score
from zoo.selection.search import NORMALISES, Search, lookbacks_for

NAMES = ["naive", "drift", "seasonal-naive", "ridge", "gru", "lstm", "rnn", "ar-lstm", "bilstm"]


class AtOnce:
    """Workers that know the error of each variant; they note what they are asked."""

    def __init__(self, blocks, errors):
        self.blocks, self.errors, self.asked = blocks, errors, []

    def scores(self, jobs, deadline):
        for job in jobs:
            if time.monotonic() > deadline:
                return
            self.asked.append((job.candidate.variant, job.candidate.lookback, job.block, bool(job.candidate.fit)))
            error = self.errors.get(job.candidate.variant, 0.9)
            windows = len(self.blocks[job.block].test)
            noise = np.random.default_rng(windows).random(windows)
            yield job, Score(None if error is None else error * (1 + 0.1 * noise), 0.01, None if error else "it broke")


@pytest.fixture
def blocks(prices):
    def prepared(split):
        return zoo.prepare(zoo.load(prices), targets=["close"], split=split)

    return judged_blocks(zoo.prepare(zoo.load(prices), targets=["close"]), prepared)


def searched(blocks, errors, *, names=NAMES, lookbacks=(7, 14), seconds=20.0, on_progress=lambda _: None):
    search = Search(
        blocks,
        names,
        lookbacks,
        NORMALISES,
        seconds=seconds,
        started=time.monotonic(),
        jobs=2,
        seed=0,
        on_progress=on_progress,
    )
    workers = AtOnce(blocks, errors)
    search.run(workers)
    return search, workers


def test_rules_and_ridge_are_scored_on_all_blocks_before_anything_is_trained(blocks, monkeypatch):
    monkeypatch.setattr(module, "REPORT", 100.0)  # no time to tune
    _, workers = searched(blocks, {})
    first_trained = next(place for place, (name, *_) in enumerate(workers.asked) if name in ("gru", "lstm", "ar-lstm"))
    before = {(name, block) for name, _, block, _ in workers.asked[:first_trained]}
    assert before == {(name, block) for name in ("drift", "seasonal-naive", "ridge") for block in range(3)}


def test_only_the_best_reach_the_earlier_blocks(blocks, monkeypatch):
    monkeypatch.setattr(module, "REPORT", 100.0)
    errors = {"gru": 0.001, "rnn": 0.002, "bilstm": 0.003}
    search, workers = searched(blocks, errors)
    earlier = {name for name, _, block, _ in workers.asked if block}
    assert earlier - {"drift", "seasonal-naive", "ridge"} == {"gru", "rnn", "bilstm"}
    assert search.board.entries[search.board.pick()].candidate.variant == "gru"


def test_a_level_that_helps_is_kept(blocks, monkeypatch):
    """ridge decides for linear models, gradient boosting for the others."""
    monkeypatch.setattr(module, "REPORT", 100.0)

    class Level(AtOnce):
        def scores(self, jobs, deadline):
            for job, scored in super().scores(jobs, deadline):
                is_helped = job.candidate.normalise == "none" and job.candidate.variant != "ridge"
                yield job, Score(scored.losses / (2 if is_helped else 1), 0.01)

    names = [*NAMES, "gradient-boosting"]
    search = Search(
        blocks, names, (7, 14), NORMALISES, seconds=20, started=time.monotonic(), jobs=2, seed=0,
        on_progress=lambda _: None,
    )  # fmt: skip
    search.run(Level(blocks, {}))
    assert (search.linear, search.nonlinear) == ((7, "last"), (7, "none"))
    seen = {(entry.candidate.variant, entry.candidate.normalise) for entry in search.board.entries.values()}
    assert {("gru", "none"), ("gru", "last")} <= seen


def test_others_are_tried_with_the_lookback_of_ridge_and_with_the_shortest(blocks, monkeypatch):
    monkeypatch.setattr(module, "REPORT", 100.0)

    class LongIsBetter(AtOnce):
        def scores(self, jobs, deadline):
            for job, scored in super().scores(jobs, deadline):
                yield job, Score(scored.losses / job.candidate.lookback, 0.01)

    search = Search(
        blocks,
        NAMES,
        (7, 14),
        NORMALISES,
        seconds=20,
        started=time.monotonic(),
        jobs=2,
        seed=0,
        on_progress=lambda _: None,
    )
    workers = LongIsBetter(blocks, {})
    search.run(workers)
    assert {lookback for name, lookback, *_ in workers.asked if name == "gru"} == {14, 7}
    _, workers = searched(blocks, {})
    assert {lookback for name, lookback, *_ in workers.asked if name == "gru"} == {7}  # the shorter of two equals


def test_what_fails_is_out_and_the_rest_goes_on(blocks, monkeypatch):
    monkeypatch.setattr(module, "REPORT", 100.0)
    search, _ = searched(blocks, {"gru": None, "ridge": None, "lstm": 0.001})
    assert search.board.entries[search.board.pick()].candidate.variant == "lstm"
    assert {entry.error for entry in search.board.entries.values()} == {None, "it broke"}


def test_the_best_variants_are_tuned_until_the_time_is_over(blocks, monkeypatch):
    monkeypatch.setattr(module, "REPORT", 0.5)
    monkeypatch.setattr(module, "SHORTEST", 0.02)
    told = []
    started = time.monotonic()
    search, workers = searched(blocks, {"gru": 0.1, "lstm": 0.2}, seconds=3.0, on_progress=told.append)
    assert 1 < time.monotonic() - started < 3
    tuned = [name for name, _, _, is_tuned in workers.asked if is_tuned]
    assert set(tuned) == {"gru", "lstm"}
    assert told[-1].scores == search.scores == len(workers.asked) and told[-1].stage == "tuning"
    settings = {str(entry.candidate.params) for entry in search.board.entries.values() if entry.candidate.fit}
    assert len(settings) > 4


def test_lookbacks_follow_the_spacing_and_the_rows(prices):
    monthly = prices.assign(date=zoo.load("co2").time[:0].append(_months(len(prices))))
    data = zoo.prepare(zoo.load(monthly), targets=["close"])
    assert lookbacks_for(data, None) == [7, 12, 14, 24]  # at most an eighth of 210 training rows
    assert lookbacks_for(data, 30) == [30]


def _months(count):
    import pandas as pd

    return pd.date_range("1990-01-01", periods=count, freq="MS")


def test_a_score_is_the_scaled_squared_error_of_each_window(blocks):
    data = blocks[0]
    measured = score(Candidate("naive", 7), data, seconds=5)
    truth, last = data.test.truth()[:, 0, 0], data.test.last()[:, 0]
    np.testing.assert_allclose(measured.losses, ((truth - last) / data.test.units.deviation[0]) ** 2, rtol=1e-4)
    assert "lookback" in score(Candidate("ridge", 500), data, seconds=5).error
    assert "no such" not in (score(Candidate("lstm", 7, params={"hidden_size": 8}), data, seconds=5).error or "")
