"""Published figures stand beside ours only where data and problem are theirs."""

import hashlib
import re

import pytest

from tests.conftest import run_zoo_here, shared
from zoo import benchmark
from zoo.data.known_file import KnownFile, check_same
from zoo.data.sources import load
from zoo.errors import InputError
from zoo.report import published
from zoo.suite import expand, read_suite

SUITES = sorted((benchmark.SHIPPED / "published").glob("*.toml"))
TEXT = """
name = "mine"
[data]
source = "prices.csv"
targets = ["all"]
[data.file]
rows = 300
columns = 5
sha256 = "{sha256}"
url = "https://example.org/prices"
[problem]
split = [200, 50, 50]
[run]
models = ["ridge", "naive"]
[[published]]
model = "Best of all"
scaled_mse = 0.0001
scaled_mae = 0.005
source = "A paper, table 2"
[[published]]
model = "Worst of all"
scaled_mse = 999.0
scaled_mae = 99.0
source = "A paper, table 2"
"""


@pytest.fixture
def brought(prices_csv, tmp_path, monkeypatch):
    """A suite `mine` with published figures for prices.csv, which lies elsewhere than the suite."""
    (tmp_path / "suites/published").mkdir(parents=True)
    sha256 = hashlib.sha256(prices_csv.read_bytes()).hexdigest()
    (tmp_path / "suites/published/mine.toml").write_text(TEXT.format(sha256=sha256))
    monkeypatch.setattr(benchmark, "SHIPPED", tmp_path / "suites")
    monkeypatch.setattr(published, "FOLDER", tmp_path / "suites/published")
    return prices_csv


@pytest.mark.process
def test_figures_of_papers_are_ranked_among_ours(brought, tmp_path):
    ended = run_zoo_here("bench", "mine", "--data", brought, "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    report = (tmp_path / "out/report.md").read_text()
    table = report[report.index("### Beside published figures") :]
    names = re.findall(r"^\| +(\S[^|]*?) +\|", table, re.MULTILINE)
    assert names[1:5] == ["Best of all", "ridge, here (b)", "naive, here (b)", "Worst of all"]
    assert "A paper, table 2" in table


@pytest.mark.process
@pytest.mark.parametrize(
    "change", [("--lookback", 5), ("--horizon", 2), ("--split", "210,40,50"), ("--targets", "close")]
)
def test_another_problem_has_no_published_figures(brought, tmp_path, change):
    ended = run_zoo_here("bench", "mine", "--data", brought, *change, "--out", tmp_path / "out")
    assert ended.returncode == 0, ended.stderr
    assert "published" not in (tmp_path / "out/report.md").read_text()


@pytest.mark.usefixtures("brought")
def test_a_file_that_is_not_there_tells_where_to_get_it(tmp_path):
    ended = run_zoo_here("bench", "mine", "--out", tmp_path / "out")
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no such file: prices.csv. Get it from https://example.org/prices" in ended.stderr
    assert "--data PATH/prices.csv" in ended.stderr and not (tmp_path / "out").exists()


def test_data_beside_data_is_refused(brought, tmp_path):
    ended = run_zoo_here("bench", brought, "--data", brought, "--targets", "close", "--out", tmp_path / "out")
    assert ended.returncode == 2 and "--data names the file of a suite" in ended.stderr


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": 301}, r"has 300 rows and 5 columns of numbers, not 301 and 5 \(https://x\)"),
        ({"columns": 6}, "has 300 rows and 5 columns of numbers, not 300 and 6"),
        ({"sha256": "0" * 64}, r"has other values, or other line ends: its SHA-256 is [0-9a-f]{16}\.\.\., not 0000"),
    ],
)
def test_another_file_is_refused_with_what_differs(prices_csv, changes, reason):
    table = load(prices_csv)
    check_same(str(prices_csv), table, KnownFile(rows=300, columns=5, url="https://x"))
    with pytest.raises(InputError, match=reason):
        check_same(str(prices_csv), table, KnownFile(**{"rows": 300, "columns": 5, "url": "https://x", **changes}))


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_shipped_suites_with_published_figures_read(path):
    suite = read_suite(path)
    assert suite.name == path.stem and suite.published and suite.data.file is not None
    assert all(0 < each.scaled_mse < 6 and 0 < each.scaled_mae < 2 for each in suite.published)


@pytest.mark.parametrize("horizon", [24, 96])
def test_etth1_is_the_file_that_papers_use(horizon):
    file = shared("ETTh1.csv")
    suite = read_suite(benchmark.SHIPPED / f"published/etth1-{horizon}.toml")
    data = suite.data.model_copy(update={"source": str(file)})
    few = suite.run.model_copy(update={"models": ["naive", "segrnn"]})
    settings = {name: value for name, value in suite.models.items() if name == "segrnn"}
    cells, data = expand(suite.model_copy(update={"data": data, "run": few, "models": settings}), device="cpu")
    assert len(cells) == 4 and len(data.targets) == 7 and len(data.test) == 2880 - horizon + 1
