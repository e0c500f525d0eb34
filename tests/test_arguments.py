"""A wrong argument to a public function is one InputError that names it."""

import numpy as np
import pytest

import zoo


@pytest.fixture(scope="module")
def parts():
    from tests.conftest import price_frame

    table = zoo.load(price_frame())
    data = zoo.prepare(table, targets=["close"], lookback=5)
    return {"table": table, "data": data, "model": zoo.create("ridge", data.problem)}


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (
            lambda _: zoo.load(None),
            "source must be a path, a built-in name, a pandas DataFrame or Series, or an array, got NoneType",
        ),
        (lambda _: zoo.load(7), "source must be a path, .* got int"),
        (lambda _: zoo.load("sp500", time=3), "time must be the name of a column, got int"),
        (lambda _: zoo.load("sp500", columns="close"), r"columns must be a list of names, \['close'\], got str"),
        (lambda _: zoo.prepare(3, targets=["close"]), "table must be what zoo.load returns, or what it takes, got int"),
        (lambda p: zoo.prepare(p["table"], targets=None), "target"),
        (lambda p: zoo.prepare(p["table"], targets=[3]), "targets must be a list of names"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], channels=5), "channels must be a list of names"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], lookback="7"), "lookback must be a whole number"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], horizon=None), "horizon must be a whole number"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], split=5), "split must be three shares"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], scaler=None), "scaler must be text, got NoneType"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], normalise=1), "normalise must be text, got int"),
        (lambda p: zoo.prepare(p["table"], targets=["close"], missing=0), "missing must be text, got int"),
        (lambda p: zoo.create(3, p["data"].problem), "a variant's name must be text, got int"),
        (lambda p: zoo.create("lstm", p["data"]), "problem must be a zoo.Problem, such as data.problem, got Data"),
        (lambda p: zoo.create("lstm", p["data"].problem, seed="x"), "seed must be a whole number, got str 'x'"),
        (lambda p: zoo.fit("lstm", p["data"].train, None), "model must be what zoo.create returns, got str 'lstm'"),
        (lambda p: zoo.fit(p["model"], p["data"], None), "train must be windows of zoo.prepare.*got Data"),
        (lambda p: zoo.fit(p["model"], p["data"].train, 5), "valid must be windows of zoo.prepare.*got int"),
        (lambda p: zoo.fit(p["model"], p["data"].train, None, {"max_epochs": 1}), "config must be a zoo.FitConfig"),
        (lambda p: zoo.fit(p["model"], p["data"].train, None, seed=None), "seed must be a whole number"),
        (lambda p: zoo.evaluate(p["data"].test, p["model"]), "model must be what zoo.create returns, got Windows"),
        (lambda p: zoo.evaluate(p["model"], np.zeros(3)), "windows must be windows of zoo.prepare.*got ndarray"),
        (lambda p: zoo.forecast(None, p["data"].test), "model must be what zoo.create returns, got NoneType"),
        (lambda p: zoo.save("ridge", "x", p["data"], variant="ridge"), "model must be what zoo.create returns"),
        (lambda p: zoo.save(p["model"], 3, p["data"], variant="ridge"), "folder must be a path, got int"),
        (lambda p: zoo.save(p["model"], "x", p["table"], variant="ridge"), "data must be what zoo.prepare returns"),
        (lambda p: zoo.save(p["model"], "x", p["data"], variant=None), "variant must be the name of a variant"),
        (lambda p: zoo.save(p["model"], "x", p["data"], variant="ridge", params=[1]), "params must be a dict"),
        (lambda _: zoo.load_model(None), "folder must be a path, got NoneType"),
        (lambda p: zoo.forecast_next(p["model"], p["table"]), "saved must be what zoo.load_model returns"),
        (lambda p: zoo.tune(None, p["data"]), "variant must be the name of a variant, got NoneType"),
        (lambda p: zoo.tune("ridge", p["table"]), "data must be what zoo.prepare returns, got Table"),
        (lambda p: zoo.tune("ridge", p["data"], trials="many"), "trials must be a whole number"),
        (lambda p: zoo.tune("ridge", p["data"], jobs="2"), "jobs must be a whole number, got str '2'"),
        (lambda p: zoo.tune("ridge", p["data"], out=5), "out must be a path, got int"),
        (lambda _: zoo.results(3), "a folder must be a path, got int"),
        (lambda _: zoo.variant(["lstm"]), "a variant's name must be text, got list"),
        (lambda _: zoo.FitConfig(max_epochs="3"), "max_epochs must be a whole number"),
    ],
)
def test_wrong_argument_is_named(parts, call, rule):
    with pytest.raises(zoo.InputError, match=rule) as caught:
        call(parts)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"targets": ["open"]}, r"positions of targets \(0,\) \(the model: \(3,\)\)"),
        ({"lookback": 6}, r"lookback 6 \(the model: 5\)"),
        ({"horizon": 2}, r"horizon 2 \(the model: 1\)"),
        ({"channels": ["close", "open"]}, r"channels 2 \(the model: 5\)"),
    ],
)
@pytest.mark.parametrize("use", ["fit", "valid", "evaluate", "forecast"])
def test_windows_of_another_problem_are_refused(parts, changed, rule, use):
    other = zoo.prepare(parts["table"], **{"targets": ["close"], "lookback": 5, **changed})
    calls = {
        "fit": lambda: zoo.fit(parts["model"], other.train, None),
        "valid": lambda: zoo.fit(parts["model"], parts["data"].train, other.valid),
        "evaluate": lambda: zoo.evaluate(parts["model"], other.test),
        "forecast": lambda: zoo.forecast(parts["model"], other.test),
    }
    with pytest.raises(zoo.InputError, match=f"is of another problem than the model: .*{rule}"):
        calls[use]()
