"""Whatever a file or a command line holds: an answer or one line that says what is wrong, and nothing else changes."""

import json
import os
import tempfile
import unicodedata
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from tests.conftest import price_frame, run_zoo_here
from tests.fuzz.conftest import tried
from tests.rows import accuracy_row
from zoo.cli.options import suite_from
from zoo.suite import expand, read_suite

PROFILE = settings.get_profile("fuzz")
NUMBERS = [
    "0",
    "-1",
    "1e300",
    "-1e300",
    "1e-320",
    "1e999",
    "nan",
    "inf",
    "1,234.5",
    "1.234,5",
    "$3",
    "007",
    "9" * 400,
    "٣",
]
TIMES = [
    "2020-01-01",
    "0000-01-01",
    "-0044-03-15",
    "99999-12-31",
    "31/12/20",
    "1577836800",
    "1" * 19,
    "NaT",
    "1:00",
    "٢٠٢٠",
]
WORDS = [
    "",
    " ",
    "?",
    "None",
    "true",
    "=1+1",
    "<script>alert(1)</script>",
    "\x1b[31m",
    "a|b",
    "`",
    "\\",
    "\u202e",
    "é",
    "🦓",
]
NAMES = ["date", "time", "close", "Close", "year", "month", "index", "Unnamed: 0", *WORDS]
PIECES = st.one_of(
    st.sampled_from([*NUMBERS, *TIMES, *WORDS]), st.floats().map(repr), st.integers().map(str), st.text(max_size=8)
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), PIECES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@contextmanager
def folder():
    """A folder of its own, as the working folder."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


def command(*arguments, codes=(0, 1, 2)):
    """Run a command; its output must leave a terminal alone, and a refusal is one line."""
    tried.append(1)
    ended = run_zoo_here(*arguments)
    assert ended.returncode in codes, ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    assert not any(
        unicodedata.category(sign) in ("Cc", "Cs") for sign in ended.stdout + ended.stderr if sign not in "\n\t"
    )
    if ended.returncode == 2:
        assert ended.stderr.rstrip("\n").splitlines()[-1].startswith("zoo: "), ended.stderr
    return ended


def refused_or(call):
    """What the call returns, or None where it is refused in one line."""
    tried.append(1)
    try:
        return call()
    except zoo.InputError as error:
        message = str(error)
    assert "\n" not in message
    return None


@st.composite
def tables(draw):
    """A table as text: columns that are mostly numbers, with surprises."""
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\n\n", "\r"]))
    names = draw(st.lists(st.one_of(st.sampled_from(NAMES), st.text(max_size=6)), min_size=1, max_size=4))
    count = draw(st.integers(0, 30))
    kinds = [draw(st.sampled_from(["number", "day", "odd", "piece"])) for _ in names]
    lines = [separator.join(names)] if draw(st.integers(0, 9)) else []
    for row in range(count):
        made = {"number": str(row % 7 + row / 10), "day": f"2020-{row // 28 + 1:02d}-{row % 28 + 1:02d}"}
        lines.append(separator.join(made[kind] if kind in made else draw(PIECES) for kind in kinds))
    return end.join(lines)


def spoilt(draw, content: bytes) -> bytes:
    """The bytes with a few of them changed, cut or doubled."""
    for _ in range(draw(st.integers(1, 3))):
        if not content:
            break
        start = draw(st.integers(0, len(content) - 1))
        end = draw(st.integers(start, min(len(content), start + 40)))
        content = (
            content[:start] + draw(st.one_of(st.binary(max_size=6), st.just(content[start:end] * 2))) + content[end:]
        )
    return content


def replaced(draw, value):
    """The JSON value with one of its parts replaced by another value, left out, or renamed."""
    if isinstance(value, dict) and value and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(value)))
        others = {key: each for key, each in value.items() if key != name}
        if not draw(st.integers(0, 9)):
            return others
        return {
            **others,
            draw(st.text(max_size=5)) if not draw(st.integers(0, 9)) else name: replaced(draw, value[name]),
        }
    if isinstance(value, list) and value and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], replaced(draw, value[place]), *value[place + 1 :]]
    return draw(VALUES)


@PROFILE
@given(tables(), st.sampled_from(["refuse", "ffill", "interpolate", "drop"]))
def test_text_of_a_table(text, missing):
    with folder() as here:
        (here / "x.csv").write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
        command("data", "x.csv")
        table = refused_or(lambda: zoo.load("x.csv"))
        if table is not None:
            target = table.columns[-1]
            refused_or(lambda: zoo.prepare(table, targets=[target], lookback=2, split=(0.6, 0.2, 0.2), missing=missing))
        assert os.listdir(here) == ["x.csv"]


@PROFILE
@given(st.binary(max_size=300), st.sampled_from(["x.csv", "x.csv.gz", "x.parquet", "x.txt", "x"]))
def test_bytes_of_a_table(content, name):
    with folder() as here:
        (here / name).write_bytes(content)
        command("data", name, codes=(0, 2))


@cache
def parquet() -> bytes:
    return price_frame(60).to_parquet()


@PROFILE
@given(st.data())
def test_spoilt_parquet(data):
    with folder() as here:
        (here / "x.parquet").write_bytes(spoilt(data.draw, parquet()))
        refused_or(lambda: zoo.load("x.parquet"))


SUITE = {
    "name": "mine",
    "data": {
        "source": "x.csv",
        "targets": ["close"],
        "channels": ["close", "open"],
        "missing": "refuse",
        "time": "date",
    },
    "problem": {"lookback": 3, "horizon": 1, "split": [0.6, 0.2, 0.2], "scaler": "standard", "normalise": "last"},
    "run": {"models": ["lstm", "naive"], "seeds": 2},
    "fit": {"max_epochs": 2, "learning_rate": 0.01, "loss": "mae"},
    "models": {"lstm": {"hidden_size": 8}},
}


def toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if value is not None else '"none"'


@PROFILE
@given(st.data())
def test_suites(data):
    suite = SUITE
    for _ in range(data.draw(st.integers(1, 2))):
        suite = replaced(data.draw, suite)
    text = (
        "\n".join(f"{json.dumps(str(key))} = {toml(value)}" for key, value in suite.items())
        if isinstance(suite, dict)
        else ""
    )
    with folder() as here:
        price_frame(60).to_csv("x.csv", index=False)
        (here / "suite.toml").write_text(text, encoding="utf-8", errors="surrogatepass")
        small = refused_or(lambda: read_suite(Path("suite.toml")))
        if small is not None and not _is_large(small):
            refused_or(lambda: expand(small, device="cpu"))
        assert sorted(os.listdir(here)) == ["suite.toml", "x.csv"]


def _is_large(suite) -> bool:
    """Whether its models or windows would need more time and memory than a test has."""
    numbers = [value for table in suite.models.values() for value in table.values() if isinstance(value, int)]
    seeds = suite.run.seeds if isinstance(suite.run.seeds, int) else len(suite.run.seeds)
    return max([*numbers, seeds, suite.problem.lookback or 0, suite.problem.horizon]) > 1000


FLAGS = [
    "--lookback",
    "--horizon",
    "--split",
    "--scaler",
    "--normalise",
    "--channels",
    "--time",
    "--missing",
    "--seeds",
    "--set",
]


@PROFILE
@given(st.lists(st.tuples(st.sampled_from(FLAGS), PIECES), max_size=4), PIECES)
def test_flags_of_bench(pairs, targets):
    with folder() as here:
        price_frame(60).to_csv("x.csv", index=False)
        flags = [part for pair in pairs for part in pair]
        # A folder in the way of rows: what passes all checks of its request ends there.
        (here / "out" / "rows.jsonl").mkdir(parents=True)
        command("bench", "x.csv", "--targets", targets, *flags, "--models", "naive", "--out", "out", codes=(2,))


@PROFILE
@given(
    st.sampled_from(["list", "show", "data", "report", "compare", "predict", "new", "--help", "no"]),
    st.lists(PIECES, max_size=4),
)
def test_words_after_a_command(name, words):
    with folder():
        os.mkdir("results")
        command(name, *(word for word in words if not word.startswith("/")))


@PROFILE
@given(st.data())
def test_rows(data):
    lines = []
    for number in range(data.draw(st.integers(1, 3))):
        row = accuracy_row(seed=number).model_dump(mode="json")
        lines.append(json.dumps(replaced(data.draw, row)).encode())
    content = b"\n".join(lines)
    if data.draw(st.booleans()):
        content = spoilt(data.draw, content)
    with folder() as here:
        (here / "out").mkdir()
        (here / "out" / "rows.jsonl").write_bytes(content)
        command("report", "out")
        for form in ("md", "csv", "json", "latex"):
            text = command("report", "out", "--format", form).stdout
            assert "<script" not in text.replace("\\<script", "") or form in ("csv", "json", "latex")
        assert os.listdir(here) == ["out"]


@cache
def model_files() -> dict[str, bytes]:
    data = zoo.prepare(zoo.load(price_frame(60)), targets=["close"], lookback=3)
    model = zoo.create("lstm", data.problem, hidden_size=8)
    with tempfile.TemporaryDirectory() as name:
        zoo.save(model, name, data, variant="lstm", params={"hidden_size": 8})
        return {path.name: path.read_bytes() for path in Path(name).iterdir()}


@PROFILE
@given(st.data())
def test_saved_models(data):
    with folder() as here:
        (here / "model").mkdir()
        for name, content in model_files().items():
            spoil = data.draw(st.sampled_from(["leave", "bytes", "value"]))
            if spoil == "bytes":
                content = spoilt(data.draw, content)
            elif spoil == "value" and name == "model.json":
                content = json.dumps(replaced(data.draw, json.loads(content))).encode()
            (here / "model" / name).write_bytes(content)
        refused_or(lambda: zoo.load_model("model"))


@PROFILE
@given(
    st.lists(st.sampled_from(["lstm.hidden_size", "fit.learning_rate", "naive.x", "fit.", ".", "x"]), max_size=2),
    PIECES,
)
def test_settings_of_the_command_line(names, value):
    changes = {"data": {"targets": ["close"]}, "problem": {}, "run": {"models": ["lstm"]}}
    refused_or(lambda: suite_from("sp500", changes, [f"{name}={value}" for name in names]))
