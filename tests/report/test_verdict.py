"""The answer to "should I use an LSTM here?": one sentence with its figure and what to do, for every kind of board."""

import pytest

from tests.report.rows import DATA, LSTM, NAIVE, PROBLEM, STEPS, entries, forecasts, frame, metrics, read, row
from zoo.report.board import boards
from zoo.report.evidence import judged
from zoo.report.verdict import verdict

BASELINE = {"tags": ["baseline", "deterministic"], "fit": None}
NAIVE_ENTRY = ("naive", 0, 0 * STEPS, BASELINE)
DETERMINISTIC = ("baseline", "deterministic")


def baseline(name, share, noise=0.3):
    return [(name, 0, forecasts(share, 99, noise), BASELINE)]


def answer(folder, *groups, **how):
    """The first sentences of the board of these forecasts, which are tested."""
    (board,) = judged(read(folder / "mine", [NAIVE_ENTRY, *(entry for group in groups for entry in group)], **how))
    return verdict(board)[0]


def untested(*rows):
    """The verdict of rows without predictions."""
    (board,) = judged(frame(rows))
    return verdict(board)


def test_worse_than_naive_is_no(tmp_path):
    text = answer(tmp_path, entries("lstm", -0.2, 0), entries("bilstm", -0.5, 5))
    assert text.startswith("No. The best recurrent model, lstm, is ")
    assert text.endswith(" % worse than repeating the last value. Keep naive.")


def test_better_by_what_chance_can_explain_is_no(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.02, 0, noise=0.1))
    assert text.startswith("No. The best recurrent model, lstm, is ")
    assert " % better than repeating the last value, which chance alone can explain (interval -" in text
    assert text.endswith(" %). Keep naive.")


def test_equal_to_naive_is_no(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.0, 0, noise=0.0))
    assert text == "No. The best recurrent model, lstm, is as accurate as repeating the last value. Keep naive."


def test_no_recurrent_gain_names_the_baseline_that_has_one(tmp_path):
    text = answer(tmp_path, entries("lstm", -0.2, 0), baseline("ridge", 0.5))
    assert text.startswith("No. The best recurrent model, lstm, is ") and "Take ridge, which is 4" in text
    assert text.endswith(" % better.")


def test_better_than_naive_and_every_baseline_is_yes(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.9, 0), baseline("ridge", 0.3))
    assert text.startswith("Yes. lstm is ") and " than repeating the last value (interval " in text
    assert "and clearly better than the best baseline, ridge (" in text and text.endswith("Take lstm.")


def test_better_than_naive_where_no_baseline_is_says_so(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.5, 0), baseline("drift", -0.3))
    assert text.startswith("Yes. lstm is ")
    assert text.endswith("), and no baseline clearly beats that value. Take lstm.")


def test_better_than_the_only_baseline_asks_for_another(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.5, 0))
    assert text.startswith("Yes. lstm is ") and text.endswith("with ridge too: no baseline but naive ran.")


def test_a_baseline_that_is_not_clearly_different_makes_it_needless(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.5, 0), baseline("ridge", 0.5))
    assert text.startswith("No need. lstm is ") and "but ridge, which is simpler, is not clearly different (" in text
    assert text.endswith("Take ridge.")


def test_the_baseline_that_is_not_clearly_different_decides_though_another_is_worse(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.5, 0), baseline("moving-average", 0.1), baseline("ridge", 0.5))
    assert "ridge, which is simpler, is not clearly different" in text


def test_a_clearly_better_baseline_is_no(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.3, 0), baseline("ridge", 0.9, noise=0.1))
    assert text.startswith("No. lstm is ") and "but ridge, which is simpler, is better still (" in text
    assert text.endswith("Take ridge.")


def test_without_recurrent_models_there_is_no_answer():
    ridge = row("ridge", 0, 0.05, tags=DETERMINISTIC)
    first, second = verdict(boards(frame([NAIVE, ridge]))[0])
    assert first == "No answer: no recurrent model ran here. Add one, such as lstm."
    assert second == "1 of 1 ends ahead of naive by at least 0.5 %: ridge (+5.00 %)."


def test_naive_alone_has_no_verdict_beyond_that():
    assert untested(NAIVE) == ["No answer: no recurrent model ran here. Add one, such as lstm."]


def test_failed_recurrent_models_give_no_answer():
    sentences = untested(NAIVE, row("lstm", 0, 0, error="Boom"), row("bilstm", 0, 0, error="Boom"))
    assert sentences == [
        "No answer: every run of bilstm, lstm failed. Fix the errors named below and run it again.",
        "Ranked last, because runs failed: bilstm (1 of 1 run), lstm (1 of 1 run).",
    ]


def test_where_naive_makes_no_error_nothing_can_be_better():
    exact = [one | {"metrics": metrics(rmse=0.0, mae=0.0)} for one in (NAIVE, *LSTM)]
    assert untested(*exact) == ["No. Repeating the last value makes no error here. Keep naive."]


def test_without_predictions_a_gain_is_unclear():
    first, second, third = untested(NAIVE, *LSTM)
    assert first == (
        "Unclear. The best recurrent model, lstm, is 2.00 % better than repeating the last value, but chance was not "
        "ruled out: no usable predictions are stored. Keep naive until it is."
    )
    assert second == "1 of 1 ends ahead of naive by at least 0.5 %: lstm (+2.00 ± 1.00 %)."
    assert third == "Whether this holds over other test periods was not tested: no usable predictions are stored."


def test_too_few_windows_for_a_test_are_unclear(tmp_path):
    text = answer(tmp_path, entries("lstm", 0.5, 0), windows=9)
    assert text.startswith("Unclear. The best recurrent model, lstm, is ")
    assert "but chance was not ruled out: 9 test windows are too few for a horizon of 1. Keep naive" in text


def test_without_predictions_nothing_ahead_of_naive_is_no():
    rows = [row("lstm", seed, skill) for seed, skill in enumerate((0.01, -0.04, 0.02))]
    first, second, *_ = untested(NAIVE, *rows)
    assert first == ("No. The best recurrent model, lstm, is 0.33 % worse than repeating the last value. Keep naive.")
    assert second == "No variant ends ahead of naive by at least 0.5 %: the best, lstm, has a skill of -0.33 ± 3.21 %."


def test_one_seed_is_named_and_failures_are_counted():
    rows = [NAIVE, LSTM[0], row("bilstm", 0, 0.0, error="Boom: it broke")]
    sentences = untested(*rows)
    assert sentences[0].startswith("Unclear. The best recurrent model, lstm, is 1.00 % better")
    assert sentences[1] == "1 of 1 ends ahead of naive by at least 0.5 %: lstm (+1.00 %)."
    assert "With 1 seed the spread over seeds is unknown: run at least 3." in sentences
    assert sentences[-1] == "Ranked last, because runs failed: bilstm (1 of 1 run)."


def test_a_deterministic_recurrent_model_without_predictions_is_unclear():
    first, *_ = untested(NAIVE, row("echo", 0, 0.1, tags=("deterministic",)))
    assert first.startswith("Unclear. The best recurrent model, echo, is 10.0 % better") and "Keep naive" in first


def test_an_untested_baseline_is_worth_a_try():
    ridge = row("ridge", 0, 0.18, tags=DETERMINISTIC)
    worse = [row("lstm", seed, -0.01 - seed / 1000) for seed in range(3)]
    assert untested(NAIVE, ridge, *worse)[0].endswith(
        "Try ridge, which is 18.0 % better, though no test ruled out chance."
    )


def test_rounding_is_no_gain():
    first, second, *_ = verdict(boards(frame([NAIVE, *(row("lstm", seed, 1e-7) for seed in range(3))]))[0])
    assert "No variant ends ahead of naive" in second and "as accurate as repeating the last value" in first


@pytest.mark.parametrize("word", ["cannot be told", "what came", "front of"])
def test_verdicts_avoid_words_of_our_own(word, tmp_path):
    groups = [entries("lstm", 0.5, 0), entries("bilstm", 0.5, 5), baseline("ridge", 0.5)]
    (board,) = judged(read(tmp_path / "mine", [NAIVE_ENTRY, *(entry for group in groups for entry in group)]))
    assert not any(word in sentence for sentence in verdict(board))


@pytest.mark.parametrize(
    ("source", "horizon", "expected"),
    [
        ("regimes", 1, "The best attainable rmse is 1, the deviation of what is random; lstm has 9.80 times that."),
        ("mackey-glass", 6, "Nothing in these data is random, so that the best attainable rmse is 0; lstm has 9.8."),
        ("regimes", 3, None),
        ("x.csv", 1, None),
    ],
)
def test_generated_data_say_how_near_the_best_line_comes_to_the_best_error(source, horizon, expected):
    problem, data = PROBLEM | {"targets": ["value"], "horizon": horizon}, DATA | {"source": source}
    rows = [each | {"problem": problem, "data": data} for each in (*LSTM, NAIVE)]
    assert [text for text in untested(*rows) if "attainable" in text] == ([expected] if expected else [])
