"""A chart is described once; both drawings of it show the same values, and no text is read as a command."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from zoo.report.chart import COLOURS, Chart, Series, looks, png
from zoo.report.html.figure import plotly

EVIL = ["$x$ \\alpha", "a_b^c", "<b>bold</b> & more", "_hidden", "価格 ±é"]


def chart(*series, **how):
    return Chart("A title", "x", "y", series, **how)


def line(label="lstm", **how):
    return Series(label, [1, 2, 4], [1.0, 10.0, 100.0], **how)


def colours(path):
    with Image.open(path) as image:
        return {colour for _, colour in image.convert("RGB").getcolors(1 << 20)}


def has(path, hexadecimal):
    wanted = [int(hexadecimal[place : place + 2], 16) for place in (1, 3, 5)]
    return any(all(abs(a - b) < 12 for a, b in zip(colour, wanted, strict=True)) for colour in colours(path))


def test_both_drawings_use_the_palette(tmp_path):
    drawn = chart(*(line(f"v{number}", colour=number, width=4) for number in range(len(COLOURS))))
    png([[drawn]], tmp_path / "a.png")
    assert all(has(tmp_path / "a.png", colour) for colour in COLOURS)
    assert [trace["line"]["color"] for trace in plotly(drawn)["data"]] == list(COLOURS)


def test_hidden_series_are_absent_from_a_png_and_wait_in_the_legend_of_the_page(tmp_path):
    shown, hidden = line("a", colour=0, width=4), line("b", colour=1, width=4, is_shown=False)
    png([[chart(shown, hidden)]], tmp_path / "a.png")
    assert has(tmp_path / "a.png", COLOURS[0]) and not has(tmp_path / "a.png", COLOURS[1])
    assert [trace["visible"] for trace in plotly(chart(shown, hidden))["data"]] == [True, "legendonly"]


def test_labels_show_as_text_in_both_drawings(tmp_path):
    series = [line(text, kind="lines+markers", text=[text] * 3, hover=[text] * 3) for text in EVIL]
    drawn = Chart(EVIL[0], EVIL[1], EVIL[2], series)
    png([[drawn]], tmp_path / "evil.png")
    text = json.dumps(plotly(drawn), ensure_ascii=False, allow_nan=False)
    assert "<b>" not in text and "&lt;b&gt;bold&lt;/b&gt; &amp; more" in text
    assert [trace["name"] for trace in plotly(drawn)["data"]][3:] == EVIL[3:]


def legend_texts(monkeypatch, path, figure):
    """The labels of the legend that matplotlib drew, and what lies where."""
    from matplotlib.figure import Figure

    drawn = []
    original = Figure.savefig

    def savefig(self, *arguments, **how):
        original(self, *arguments, **how)
        legend = self.legends[0]
        boxes = [axes.get_window_extent() for axes in self.axes]
        drawn.append(([text.get_text() for text in legend.get_texts()], legend.get_window_extent(), boxes))

    monkeypatch.setattr(Figure, "savefig", savefig)
    png(figure, path)
    return drawn[0]


@pytest.mark.parametrize("count", [2, 20])
def test_the_legend_names_each_label_once_and_covers_no_panel(monkeypatch, tmp_path, count):
    labels = ["_first", *(f"variant-{number} (hidden_size=64)" for number in range(1, count))]
    panel = chart(*(line(label, kind="lines+markers", **looks(labels)[label]) for label in labels), line(""))
    texts, legend, panels = legend_texts(monkeypatch, tmp_path / "a.png", [[panel, panel], [panel]])
    assert texts == labels
    assert not any(legend.overlaps(box) for box in panels)


def test_a_label_that_several_series_share_stands_once_in_the_legend_of_the_page():
    traces = plotly(chart(line("a"), line("a"), line("")))["data"]
    assert [trace["showlegend"] for trace in traces] == [True, False, False]
    assert traces[0]["legendgroup"] == traces[1]["legendgroup"] and "legendgroup" not in traces[2]


def test_missing_values_leave_gaps_and_moments_are_text():
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")
    (trace,) = plotly(chart(Series("a", days, [math.nan, 1 / 3])))["data"]
    assert trace["x"] == ["2020-01-01", "2020-01-02"] and trace["y"] == [None, 0.333333]


def test_a_band_is_one_outline_that_goes_with_its_series():
    line_trace, band = plotly(chart(line(band=([0.5, 5, 50], [2, 20, 200]))))["data"]
    assert band["x"] == [1, 2, 4, 4, 2, 1] and band["y"] == [2, 20, 200, 50, 5, 0.5]
    assert band["legendgroup"] == line_trace["legendgroup"] and band["showlegend"] is False


def test_logarithmic_axes_take_ranges_as_powers_of_ten():
    drawn = plotly(chart(line(), log_x=True, log_y=True, x_range=(1, 100), y_range=(0.1, 1000), x_ticks=[1, 2, 1000]))
    assert drawn["layout"]["xaxis"]["range"] == [0, 2] and drawn["layout"]["yaxis"]["range"] == [-1, 3]
    assert drawn["layout"]["xaxis"]["ticktext"] == ["1", "1,000"]  # 2 is too near to 1 to be read


def test_noise_alone_does_not_fill_a_logarithmic_axis():
    drawn = plotly(chart(Series("a", [1, 2], [100.0, 101.0]), log_y=True))
    low, high = drawn["layout"]["yaxis"]["range"]
    assert 10 ** (high - low) == pytest.approx(4, rel=1e-3)


def test_named_rows_run_from_top_to_bottom():
    axis = plotly(chart(Series("", [1, 2], [0, 1], "markers"), y_names=["first", "second <2>"]))["layout"]["yaxis"]
    assert axis["range"] == [1.5, -0.5] and axis["ticktext"] == ["first", "second &lt;2&gt;"]


def test_texts_of_close_markers_stand_on_different_sides():
    close = Series("a", [1.0, 1.01, 50.0], [1.0, 1.0, 2.0], "markers", text=["one variant", "another", "far away"])
    first, second, _ = plotly(chart(close))["data"][0]["textposition"]
    assert first != second
