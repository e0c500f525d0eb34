"""The metrics of classes against scikit-learn's, and by hand."""

import numpy as np
import pytest
from sklearn import metrics

from zoo.metrics import class_metrics


def made(count=200, classes=4, seed=0):
    random = np.random.default_rng(seed)
    actual = random.integers(classes, size=count)
    odds = random.normal(size=(count, classes))
    odds[np.arange(count), actual] += 1
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    return chances, actual, np.eye(classes)[actual]


def test_each_metric_is_that_of_scikit_learn():
    chances, actual, truth = made()
    naive = np.tile([0.4, 0.3, 0.2, 0.1], (len(actual), 1))
    scores = class_metrics(chances[:, None], naive[:, None], truth[:, None])
    chosen = chances.argmax(axis=1)
    assert scores["accuracy"] == pytest.approx(metrics.accuracy_score(actual, chosen))
    assert scores["error_rate"] == pytest.approx(1 - scores["accuracy"])
    assert scores["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(actual, chosen))
    assert scores["macro_f1"] == pytest.approx(metrics.f1_score(actual, chosen, average="macro"))
    assert scores["roc_auc"] == pytest.approx(metrics.roc_auc_score(actual, chances, multi_class="ovr"))
    assert scores["log_loss"] == pytest.approx(metrics.log_loss(actual, chances))
    assert scores["brier"] == pytest.approx(
        np.mean([np.sum((p - y) ** 2) for p, y in zip(chances, truth, strict=True)])
    )
    base = np.mean(actual != 0)
    assert scores["skill"] == pytest.approx(1 - scores["error_rate"] / base)


def test_calibration_error_by_hand():
    chances = np.array([[0.95, 0.05], [0.92, 0.08], [0.65, 0.35], [0.3, 0.7]])
    truth = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    expected = (abs(0.95 + 0.92 - 1) + abs(0.65 - 1) + abs(0.7 - 1)) / 4
    assert class_metrics(chances[:, None], None, truth[:, None])["calibration_error"] == pytest.approx(expected)


def test_a_class_without_test_cases_counts_in_no_mean():
    chances, actual, _ = made(classes=3)
    truth = np.eye(4)[actual]
    wider = np.column_stack([chances * 0.99, np.full(len(chances), 0.01)])
    scores, other = (
        class_metrics(wider[:, None], None, truth[:, None]),
        class_metrics(chances[:, None], None, np.eye(3)[actual][:, None]),
    )
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc"):
        assert scores[name] == pytest.approx(other[name])
    assert scores["skill"] is None
