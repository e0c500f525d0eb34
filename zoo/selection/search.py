"""Search: which candidates are scored on which blocks, and for how long: baselines, halving, finalists, tuning."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import optuna
from optuna.trial import TrialState

from zoo.data.dataset import Data
from zoo.data.spacing import spacing
from zoo.errors import InputError
from zoo.layers.normalised import Solvable
from zoo.problem import Normalise
from zoo.registry import create, variant
from zoo.seeding import stream_seed
from zoo.selection.board import Board, Entry
from zoo.selection.judge import chosen
from zoo.selection.score import GRACE, Candidate, block_losses, seen
from zoo.selection.workers import Job, Workers
from zoo.train.evaluate import forecast
from zoo.tuning.search import StudySettings, search_for
from zoo.tuning.study import quiet

# When each stage ends at the latest, as shares of the time that is left once the workers have started.
LOOKBACK, BASELINES, BOOSTING, HALVING, FINALISTS = 0.1, 0.2, 0.28, 0.58, 0.72
REPORT = 5.0  # seconds for the last steps beside training
TRAININGS = 2  # on the way to the kept model: one is scored on the test part, one learns all rows
RUNGS, KEPT = 3, 3  # each rung keeps one in three, and gives it three times as long
SHORTEST = 1.0  # seconds of training below which a rung says little
MOST_FINALISTS = 3
MORE_TIME = 1.5  # the last trainings may take so many times as long as those that a candidate was judged by
LOOKBACKS = (7, 14, 28, 56)
# Without the level high and low look the same to a model; with it, it follows no trend beyond its training rows.
NORMALISES: tuple[Normalise, ...] = ("last", "none")
KINDS = ("naive", "rule", "ridge", "baseline", "recurrent")  # the simplest first; a rule learns nothing
MOST_REASONS = 5
HOPELESS = 1.1  # times the best error on the newest block: a tuned candidate above it is scored on no other
# Those that came first over the standard benchmark (results/standard): a short budget tries only some.
FIRST = (
    "hybrid-lstm", "ar-lstm", "gru", "tcn", "nlinear", "lstm", "attention-lstm", "seq2seq-attention-lstm", "tcn-lstm",
    "stacked-lstm", "hybrid-segrnn", "bilstm", "cnn-lstm", "dilated-lstm", "segrnn", "lstnet", "rnn",
)  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """What a search has done so far: its stage, how many scores it has, and the best candidate with its rmse over
    naive's."""

    stage: str
    scores: int
    best: str
    error: float


class View(NamedTuple):
    """What a model sees of the past: how many steps, and the level that is removed from them."""

    lookback: int
    normalise: Normalise


class Search:
    """Fills a board, and leaves time for the last trainings; seconds: of the whole budget, which ran from `started` on,
    by time.monotonic.

    blocks: see judged_blocks, at the shortest lookback; names: the variants that may be chosen; lookbacks, normalises:
    those that are tried, the earliest among nearly equal ones. Trained variants come in the order of FIRST.
    """

    def __init__(
        self,
        blocks: Sequence[Data],
        names: Sequence[str],
        lookbacks: Sequence[int],
        normalises: Sequence[Normalise],
        *,
        seconds: float,
        started: float,
        jobs: int,
        seed: int,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self.blocks, self.lookbacks, self.normalises, self.seed = blocks, lookbacks, normalises, seed
        self.end, self.began, self.jobs, self.on_progress = started + seconds, started, jobs, on_progress
        spare = (1 - FINALISTS) * seconds - REPORT
        self.longest = max(
            SHORTEST, spare / (TRAININGS * MORE_TIME * GRACE)
        )  # of a training, so that the last ones fit
        naive = [forecast(create("naive", each.problem), each.test) for each in blocks]  # their channels may differ
        of_naive = [block_losses(own, each) for own, each in zip(naive, blocks, strict=True)]
        self.board = Board(of_naive, blocks[0].problem.horizon)
        self.linear = self.nonlinear = View(min(lookbacks), normalises[0])
        self.scores = 0
        self.training_seconds = SHORTEST  # of the last rung: what a candidate was judged with
        self.season = season_of(blocks[0])
        self.ranks, self.trained, self.unfit = _ranks(names, blocks[0])
        self.naive = self.board.enter(self._candidate("naive", self.linear), 0)
        for number, losses in enumerate(self.board.naive):
            self.board.entries[self.naive].losses[number] = losses

    def run(self, workers: Workers) -> None:
        """All stages; Ctrl-C ends them, and the board keeps what it has."""
        self.began = time.monotonic()
        self._baselines(workers)
        self._finalists(workers, self._halved(workers))
        with quiet():
            self._tune(workers)

    def failures(self) -> list[str]:
        """A note on the variants that could not be used or have no score, each with the reason."""
        reasons = dict(self.unfit)
        scored = {entry.candidate.variant for entry in self.board.entries.values() if entry.losses}
        for entry in self.board.entries.values():
            if entry.candidate.variant not in scored and entry.error is not None:
                reasons[entry.candidate.variant] = entry.error
        notes = [f"{name} could not be used: {reason}" for name, reason in list(reasons.items())[:MOST_REASONS]]
        if len(reasons) > MOST_REASONS:
            notes.append(f"nor could {', '.join(list(reasons)[MOST_REASONS:])}")
        if scored == {"naive"} and self.scores == 0 and len(self.ranks) > 1:
            notes.append("the time was over before anything was scored: give it a larger --budget")
        return notes

    def _until(self, share: float) -> float:
        return self.began + share * (self.end - self.began)

    @property
    def _last(self) -> float:
        """When the search has to end, so that the longest of the candidates that may win can be trained again."""
        longest = max([self.board.entries[key].seconds for key in self.board.complete()], default=0.0)
        return self.end - REPORT - TRAININGS * MORE_TIME * longest

    def _run(self, workers: Workers, stage: str, until: float, jobs: Sequence[tuple[str, int, float]]) -> None:
        """Score (key, block, seconds) until a stage ends."""
        board = self.board
        keys = {(id(board.entries[key].candidate), block): key for key, block, _ in jobs}
        requested = [Job(board.entries[key].candidate, block, seconds) for key, block, seconds in jobs]
        for job, score in workers.scores(requested, until):
            board.add(keys[id(job.candidate), job.block], job.block, score)
            self.scores += 1
            best = min(board.entries, key=board.error)
            self.on_progress(Progress(stage, self.scores, board.entries[best].candidate.label, board.error(best)))

    def _baselines(self, workers: Workers) -> None:
        """Choose the view by ridge, score every baseline that is not trained, the quickest first, and choose a second
        view by gradient boosting: a nonlinear model may need less of the past, or the level."""
        views = [View(lookback, normalise) for lookback in self.lookbacks for normalise in self.normalises]
        self.linear = self._best_view(workers, "ridge", "lookback", self._until(LOOKBACK), views)
        seconds, jobs = LOOKBACK * (self.end - self.began), []
        for name, rank in self.ranks.items():
            if name in ("naive", "gradient-boosting") or name in self.trained:
                continue
            candidate = self._candidate(name, self.linear)
            if "period" in variant(name).parameters and self.season is not None and self.season <= max(self.lookbacks):
                longer = View(max(self.linear.lookback, self.season), self.linear.normalise)
                candidate = self._candidate(name, longer, params={"period": self.season})
            key = self.board.enter(candidate, rank)
            jobs += [(key, block, seconds) for block in range(len(self.blocks))]
        jobs.sort(key=lambda job: self._cost(self.board.entries[job[0]]))
        self._run(workers, "baselines", self._until(BASELINES), jobs)
        lookbacks = dict.fromkeys([min(self.lookbacks), self.linear.lookback])
        views = [View(lookback, normalise) for lookback in lookbacks for normalise in self.normalises]
        self.nonlinear = self._best_view(workers, "gradient-boosting", "baselines", self._until(BOOSTING), views)

    def _best_view(self, workers: Workers, name: str, stage: str, until: float, views: Sequence[View]) -> View:
        """The view with which a variant does best, by all blocks; of nearly equal ones the first."""
        if name not in self.ranks:
            return views[0]
        board, seconds = self.board, until - time.monotonic()
        keys = [board.enter(self._candidate(name, view), self.ranks[name]) for view in views]
        numbers = range(len(self.blocks))
        self._run(workers, stage, until, [(key, block, seconds) for block in numbers for key in keys])
        scored = {key: place for place, key in enumerate(keys) if len(board.entries[key].losses) == len(numbers)}
        if not scored:
            return views[0]
        return views[scored[chosen({key: board.whole(key) for key in scored}, scored, board.horizon)]]

    def _candidate(self, name: str, view: View, **settings: Mapping[str, Any]) -> Candidate:
        return Candidate(name, view.lookback, view.normalise, **settings)

    def _halved(self, workers: Workers) -> list[str]:
        """The trained candidates that survive successive halving on the newest block (Jamieson & Talwalkar 2016)."""
        names = sorted(self.trained, key=lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
        time_left = (self._until(HALVING) - time.monotonic()) * self.jobs
        of_rung = time_left / RUNGS
        views = dict.fromkeys([self.nonlinear, self.linear])
        every = [self._candidate(name, view) for name in names for view in views]
        count = max(MOST_FINALISTS, min(len(every), int(of_rung / SHORTEST)))
        keys = [self.board.enter(candidate, self.ranks[candidate.variant]) for candidate in every[:count]]
        began = time.monotonic()
        for rung in range(RUNGS):
            if not keys:
                break
            self.training_seconds = min(self.longest, max(SHORTEST, of_rung / max(len(keys), self.jobs)))
            end = began + (self._until(HALVING) - began) * (rung + 1) / RUNGS
            self._run(workers, f"halving, {len(keys)} models", end, [(key, 0, self.training_seconds) for key in keys])
            keys = sorted((key for key in keys if self.board.entries[key].losses), key=self.board.error)
            keys = keys[: max(MOST_FINALISTS, math.ceil(len(keys) / KEPT))]
        return keys[:MOST_FINALISTS]

    @staticmethod
    def _cost(entry: Entry) -> tuple[int, bool]:
        """Rules first, then ridge, and what another package estimates last."""
        return entry.rank, variant(entry.candidate.variant).needs is not None

    def _finalists(self, workers: Workers, keys: Sequence[str]) -> None:
        further = [(key, block, self.training_seconds) for block in range(1, len(self.blocks)) for key in keys]
        self._run(workers, "finalists", self._until(FINALISTS), further)

    def _tune(self, workers: Workers) -> None:
        """Search the settings of the best recurrent candidates, in turn, until the time is over."""
        board, best = self.board, dict[str, Candidate]()
        for key in sorted(board.complete(), key=board.error):
            candidate = board.entries[key].candidate
            if candidate.variant in self.trained and variant(candidate.variant).parameters:
                best.setdefault(candidate.variant, candidate)
        names = list(best)[:2]
        studies = {}
        for name in names:
            sampler = optuna.samplers.TPESampler(seed=stream_seed(self.seed, f"select {name}") % 2**32)
            data = seen(self.blocks[0], best[name])
            studies[name] = search_for(name, data, StudySettings()), optuna.create_study(sampler=sampler)
        waves = 0
        while names and time.monotonic() + self.training_seconds < self._last:
            search, study = studies[names[waves % len(names)]]
            waves += 1
            trials = {}
            for _ in range(self.jobs):
                trial = study.ask()
                search.suggest(trial)
                point = search.point_of(trial)
                fit = {key.removeprefix("fit."): value for key, value in trial.params.items() if key.startswith("fit.")}
                params = {key: point.params[key] for key in trial.params if key in point.params}
                candidate = replace(best[search.variant], params=params, fit=fit)
                trials[board.enter(candidate, self.ranks[search.variant])] = trial
            self._run(workers, "tuning", self._last, [(key, 0, self.training_seconds) for key in trials])
            for key, trial in trials.items():
                error = board.error_on(key, 0)
                if math.isfinite(error):
                    study.tell(trial, error)
                else:
                    study.tell(trial, state=TrialState.FAIL)
            least = min(board.error_on(key, 0) for key in board.complete())
            good = [key for key in trials if board.error_on(key, 0) < HOPELESS * least]
            further = [(key, block, self.training_seconds) for key in good for block in range(1, len(self.blocks))]
            self._run(workers, "tuning", self._last, further)


def lookbacks_for(data: Data, given: int | None) -> list[int]:
    """The lookbacks to try: the one that is given, or usual ones and one or two seasons, where the rows allow them."""
    if given is not None:
        return [given]
    season = season_of(data)
    wanted = {
        *LOOKBACKS,
        max(LOOKBACKS[0], 2 * data.problem.horizon),
        *([season, 2 * season] if season is not None else []),
    }
    longest = data.split.train_end // 8
    return sorted(each for each in wanted if each <= max(longest, LOOKBACKS[0]))


def season_of(data: Data) -> int | None:
    """The season that the spacing of the rows suggests."""
    usual = spacing(data.time_of_first)
    return usual.season if usual is not None else None


def _ranks(names: Sequence[str], data: Data) -> tuple[dict[str, int], list[str], dict[str, str]]:
    """How simple each variant is that can be used here, its place in KINDS; those that gradient descent trains; and why
    others cannot be used."""
    ranks: dict[str, int] = {}
    trained: list[str] = []
    unfit: dict[str, str] = {}
    for name in names:
        if not variant(name).is_here:
            unfit[name] = f"it needs {variant(name).needs}"
            continue
        try:
            model = create(name, data.problem)
        except InputError as error:
            unfit[name] = str(error)
            continue
        learns = model.is_trainable or isinstance(model.variant, Solvable)
        kind = "recurrent" if "baseline" not in variant(name).tags else "baseline" if learns else "rule"
        ranks[name] = KINDS.index(name if name in KINDS else kind)
        trained += [name] if model.is_trainable else []
    return ranks, trained, unfit
