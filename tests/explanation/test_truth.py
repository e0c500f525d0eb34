"""Where one channel at one lag matters by construction, every method says so; with random weights none does."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import nn

import zoo
from tests.explanation.truths import three_channels, trained

PLACE = ("c2", 3)


@pytest.fixture(scope="module")
def data():
    return zoo.prepare(three_channels(), targets="y", lookback=6, normalise="none")


@pytest.fixture(scope="module", params=["lstm", "attention-lstm", "gru", "tcn"])
def model(request, data):
    torch.set_num_threads(1)
    return trained(request.param, data)


def top_of(explained, map_CG):
    channel, group = np.unravel_index(map_CG.argmax(), map_CG.shape)
    return explained.channels[channel], explained.groups[group][0]


def maps_of(model, data, windows=100):
    explained = zoo.explain(
        model, data, methods=["permutation", "integrated-gradients"], each_lag=True, windows=windows
    )
    return explained, explained.importance.map_CG, explained.attributions.map_CG(explained.groups)


def test_every_method_finds_the_one_input_that_matters(model, data):
    explained, importance, attributions = maps_of(model, data)
    assert top_of(explained, importance) == top_of(explained, attributions) == PLACE
    c, g = explained.channels.index("c2"), 2
    assert importance[c, g] > 3 * np.delete(importance, c * 6 + g).max()
    assert attributions[c, g] > 2 * np.delete(attributions, c * 6 + g).max()
    text = str(explained)
    assert text.startswith("c2 at lag 3 matters most") and "Integrated gradients agree" in text


def test_groups_of_lags_and_whole_channels_find_it_too(model, data):
    explained = zoo.explain(model, data, methods=["permutation"], windows=100)
    assert explained.groups == ((1, 1), (2, 2), (3, 4), (5, 6))
    assert top_of(explained, explained.importance.map_CG) == PLACE
    assert explained.channels[explained.importance.channels_RC.mean(axis=0).argmax()] == "c2"


def test_with_random_weights_the_answer_is_another_one(model, data):
    """Source: Adebayo et al. 2018, Sanity checks for saliency maps, section 3: a method whose map stays the same when
    the weights are random explains the data or the architecture, not what was learned.

    The sizes of attributions keep some of their order, since a recurrent network with random weights looks at the last
    rows most; what was learned is gone from them.
    """
    explained, importance, attributions = maps_of(model, data)
    place = explained.channels.index("c2"), 2
    assert attributions[place] > 0.5 * attributions.sum()
    correlations = []
    for seed in range(3):
        drawn = copy.deepcopy(model)
        torch.manual_seed(seed)
        for layer in drawn.modules():
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        _, other_importance, other_attributions = maps_of(drawn, data)
        assert other_importance[place] < 0.01 * importance[place]
        assert top_of(explained, other_attributions) != PLACE
        assert other_attributions[place] < 0.1 * other_attributions.sum()
        correlations.append(stats.spearmanr(importance.ravel(), other_importance.ravel()).statistic)
    # The mean of three correlations of 24 unrelated pairs has a deviation of 1 / sqrt(3 * 23) = 0.12.
    assert np.mean(correlations) < 0.36


def test_of_changes_from_the_last_value_the_one_that_matters_comes_first():
    """With normalise last the variant sees distances from the last value: y moves by what c2 changed 3 rows before, as
    seen from the last row."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(900, 2)), columns=["y", "c2"]).cumsum()
    seen = (frame["c2"].shift(3) - frame["c2"].shift(1)).fillna(0.0)
    y = [0.0]
    for row in range(1, 900):
        y.append(y[-1] + seen[row] + 0.05 * random.normal())
    data = zoo.prepare(frame.assign(y=y), targets="y", lookback=6, normalise="last")
    explained, importance, attributions = maps_of(trained("lstm", data), data)
    assert top_of(explained, importance) == top_of(explained, attributions) == PLACE
    assert not importance[:, 0].any() and not attributions[:, 0].any()  # at lag 1 there is no distance
    assert "the value at lag 1, which is then 0" in str(explained)
    level = explained.importance.level_R.mean()
    assert level > 3 * importance.max()  # y is a random walk: its own level is most of its forecast


class Pooling(nn.Module):
    """Attention to the rows themselves, so that its weights say what is used."""

    def __init__(self, problem: zoo.Problem) -> None:
        super().__init__()
        self.score = nn.Parameter(torch.zeros(problem.lookback))
        self.head = nn.Linear(problem.channels, 1)

    def forward(self, x):
        weights = self.score.expand(len(x), -1).softmax(dim=1)
        return self.head((weights[..., None] * x).sum(dim=1))[:, None]


def test_attention_to_rows_comes_to_rest_on_the_row_that_matters(data):
    zoo.register("pooling", summary="a test", source="a test")(Pooling)
    model = trained("pooling", data, epochs=60)
    explained = zoo.explain(model, data, methods=["attention"])
    weights = explained.attention.by_lag
    assert weights.argmax() + 1 == 3 and weights[2] > 0.8
    assert weights.sum() == pytest.approx(1.0)
    assert "Attention is highest at lag 3" in str(explained)
