"""docs/primer.md says what benchmarks/primer.py prints."""

from pathlib import Path

from benchmarks.primer import BIASES, draw_step, projected, reach, recall

PAGE = Path(__file__).parents[2] / "docs/primer.md"


def test_the_page_has_the_table_of_weights_that_the_command_prints():
    assert projected() in PAGE.read_text(encoding="utf-8")


def test_the_wider_a_forget_gate_is_open_the_further_back_an_untrained_lstm_sees():
    far = [reach(bias, seed=0)[-1] for bias in BIASES]
    assert far[0] < 0.5**20 < far[1] < far[2]


def test_an_error_of_one_is_that_of_no_memory():
    errors = recall(0.0, 30, seed=0, steps=40)
    assert 0.9 < sum(errors) / len(errors) < 1.1


def test_the_drawn_step_names_every_gate():
    texts = " ".join(text.get_text() for text in draw_step().axes[0].texts)
    assert all(name in texts for name in ("forget", "input", "candidate", "output", "cell", "state"))
