"""What sets each architecture apart, against a plain computation."""

import numpy as np
import pytest
import torch
from torch import nn

import zoo
from zoo.layers.decompose import decomposed
from zoo.models.dilated_lstm import dilated
from zoo.problem import Problem
from zoo.testing.helpers import shake, shaken

WIDE = Problem(lookback=12, channels=3, targets=(2, 0), output_shape=(5, 2), normalise="none")


def built(name, problem=WIDE, **params):
    model = zoo.create(name, problem, **params).variant.double().eval()
    shake(model)
    return model, torch.randn(4, problem.lookback, problem.channels, dtype=torch.float64)


def test_seq2seq_feeds_each_forecast_to_the_next_step():
    model, x = built("seq2seq-lstm", hidden_size=6)
    _, (state, cell) = model.encoder(x)
    state, cell, y = state[0], cell[0], x[:, -1, [2, 0]]
    weight, recurrent, bias = model.decoder.input, model.decoder.get_parameter("recurrent"), model.decoder.bias
    forecasts = []
    for _ in range(5):
        i, f, o, g = (y @ weight.T + state @ recurrent.T + bias).chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        state = o.sigmoid() * cell.tanh()
        y = model.head(state)
        forecasts.append(y)
    torch.testing.assert_close(model(x), torch.stack(forecasts, dim=1), rtol=0, atol=1e-10)


@pytest.mark.parametrize("dilation", [1, 2, 4, 16])
def test_a_dilated_layer_reads_every_so_many_steps(dilation):
    torch.manual_seed(0)
    lstm, x = nn.LSTM(3, 4, batch_first=True), torch.randn(2, 11, 3)
    states = dilated(lstm, x, dilation)
    for phase in range(min(dilation, 11)):
        torch.testing.assert_close(states[:, phase::dilation], lstm(x[:, phase::dilation])[0])


def test_segrnn_decodes_each_segment_by_one_step_of_its_gru():
    model, x = built("segrnn", hidden_size=8, segment=5)
    last = torch.cat([x[:, :1].expand(-1, 3, -1), x], dim=1)[..., [2, 0]]  # 12 steps filled up to 15
    for d in range(2):
        segments = last[..., d].reshape(4, 3, 5)
        _, state = model.gru(model.embed(segments).relu())
        place = torch.cat([model.position[0], model.target[d]]).expand(4, 1, -1)
        out, _ = model.gru(place, state)
        torch.testing.assert_close(model(x)[..., d], model.head(out[:, 0]), rtol=0, atol=1e-10)


def test_segments_are_cut_to_the_window_and_to_the_horizon():
    model, x = built("segrnn", Problem(7, 1, (0,), (11, 1), "none"), segment=4, hidden_size=8)
    assert (model.read, model.write, model.missing, len(model.position)) == (4, 4, 1, 3)
    assert model(x).shape == (4, 11, 1)


def test_channel_independence_gives_a_target_the_forecast_of_its_own_column_alone():
    model, x = built("channel-independent-lstm", hidden_size=4)
    for d, target in enumerate((2, 0)):
        torch.testing.assert_close(model(x)[..., d : d + 1], model.each.shared(x[..., target : target + 1]))


def test_groups_of_a_clockwork_change_at_their_ticks_only():
    model, x = built("clockwork-rnn", Problem(9, 2, (0,), (1, 1), "none"), hidden_size=16, groups=4)
    torch.testing.assert_close(model.ticks.sum(0), torch.tensor([9.0, 5.0, 3.0, 2.0], dtype=torch.float64))
    assert (model.ticks[-1] == 1).all()
    weight, recurrent, *biases = model.rnn.parameters()
    state, is_seen = torch.zeros(4, 16, dtype=torch.float64), torch.zeros(16, 16, dtype=torch.float64)
    for group in range(4):
        is_seen[4 * group : 4 * group + 4, 4 * group :] = 1
    for t in range(9):
        new = (x[:, t] @ weight.T + state @ (recurrent * is_seen).T + sum(biases)).tanh()
        is_due = torch.tensor([(8 - t) % 2 ** (unit // 4) == 0 for unit in range(16)])
        state = torch.where(is_due, new, state)
    torch.testing.assert_close(model(x), model.head(state), rtol=0, atol=1e-10)


def test_lstnet_skips_from_season_to_season_back_from_the_last_step():
    model, x = built("lstnet", Problem(11, 2, (0,), (1, 1), "none"), skip=3, skip_size=2)
    features = model.convolution(model.pad(x.transpose(1, 2))).relu().transpose(1, 2)
    last = model.gru(features)[0][:, -1]
    phases = [model.skip_gru(features[:, 2 + phase :: 3])[0][:, -1] for phase in range(3)]  # 9 of 11 steps
    expected = model.linear(x) + model.head(torch.cat([last, *phases], dim=1))
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-10)


def test_a_trend_is_the_mean_of_its_neighbourhood_and_the_rest_what_remains():
    x = torch.tensor([1.0, 2.0, 6.0, 4.0])[None, :, None]
    trend, rest = decomposed(x, 3)
    torch.testing.assert_close(trend.flatten(), torch.tensor([4 / 3, 3.0, 4.0, 14 / 3]))
    torch.testing.assert_close(trend + rest, x)


@pytest.mark.parametrize("name", ["dlinear", "nlinear"])
def test_shared_linear_maps_treat_all_targets_alike(name):
    model, x = built(name)
    x[..., 0] = x[..., 2]
    torch.testing.assert_close(model(x)[..., 0], model(x)[..., 1])


def test_nlinear_moves_with_the_level():
    model, x = built("nlinear")
    torch.testing.assert_close(model(x + 5), model(x) + 5)


@pytest.mark.parametrize(("horizon", "has_valid"), [(1, True), (3, True), (1, False)])
def test_gradient_boosting_forecasts_what_scikit_learn_does(horizon, has_valid):
    from sklearn.ensemble import HistGradientBoostingRegressor

    problem = Problem(6, 2, (1,), (horizon, 1), "none")
    random = torch.Generator().manual_seed(0)
    x, noise = torch.randn(400, 6, 2, generator=random), torch.randn(400, horizon, 1, generator=random)
    y = (x[:, -1:, 1:] * x[:, :1, 1:]).expand(-1, horizon, -1) + 1.5 * noise
    model = zoo.create("gradient-boosting", problem, trees=40, learning_rate=0.3).variant
    held_out = (lambda: [(x[300:], y[300:])]) if has_valid else None
    model.solve(lambda: [(x[:200], y[:200]), (x[200:300], y[200:300])], held_out)
    rows = model._rows(x[..., 1]).numpy()
    theirs = HistGradientBoostingRegressor(
        max_iter=40, learning_rate=0.3, max_leaf_nodes=15, max_depth=6, early_stopping=False, random_state=0
    ).fit(rows[: 300 * horizon], y[:300].flatten().numpy())
    stages = list(theirs.staged_predict(rows))
    actual = y.flatten().numpy()
    errors = [np.mean((stage - actual)[300 * horizon :] ** 2) for stage in stages]
    expected = stages[int(np.argmin(errors)) if has_valid else -1]
    torch.testing.assert_close(model(x).flatten(), torch.as_tensor(expected, dtype=torch.float32), rtol=1e-4, atol=1e-5)
    if has_valid:
        assert 0 < int(np.argmin(errors)) < 39


def test_ensemble_forecasts_the_mean_of_its_members():
    model, x = built("ensemble-lstm", members=3, hidden_size=8)
    members = [head(lstm(x)[0][:, -1]) for lstm, head in zip(model.lstms, model.heads, strict=True)]
    torch.testing.assert_close(model(x), sum(members) / 3)


def test_residual_layers_that_learned_nothing_hand_on_what_they_got():
    model, x = built("residual-lstm", hidden_size=8, num_layers=3)
    for lstm in model.others:
        for parameter in lstm.parameters():
            nn.init.zeros_(parameter)
    torch.testing.assert_close(model(x), model.head(model.first(x)[0][:, -1]))


def test_attention_of_the_decoder_sees_the_first_step():
    model, x = shaken("seq2seq-attention-lstm")
    other = x.clone()
    other[:, 0] += 1
    assert not torch.allclose(model(x), model(other))
