"""The site that `make docs` builds: it is whole, it shows every public name, and it asks nothing of the network."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).parents[1]
TEST = "repository/tests/test_files.py.html"  # the page of what is promised links to it


def test_every_public_name_stands_on_the_page_of_names():
    listed = re.findall(r"^::: zoo\.(\w+)$", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted([*listed, "__version__"]) == zoo.__all__


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as make docs builds it, for which notebooks run: a link that leads nowhere, or a page that no menu
    shows, ends the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return folder


@pytest.mark.process
@pytest.mark.slow
def test_the_site_shows_pages_reports_sources_and_docstrings(site):
    guide, names, report, test = (
        (site / page).read_text(encoding="utf-8")
        for page in ("guides/start.html", "api.html", "repository/results/narma/report.html", TEST)
    )
    assert 'href="../reports.html#the-answer-on-top"' in guide
    assert "Train and score variants on data, each on several seeds" in names and 'id="zoo.bench"' in names
    assert "hybrid-lstm" in report and (site / "repository/results/narma/skill.png").exists()
    assert '<span class="kn">import</span>' in test


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("notebook", "shown"),
    [("first_verdict", " % better than repeating the last value"), ("new_cell", "\nlearning: holds</pre>"),
     ("inside_an_lstm", '<pre class="output">the same as PyTorch')],
)  # fmt: skip
def test_a_notebook_ran_from_top_to_bottom_and_shows_its_outputs(site, notebook, shown):
    """An error in a cell ends the build."""
    page = html.unescape((site / f"notebooks/{notebook}.ipynb.html").read_text(encoding="utf-8"))
    assert shown in page and '<img class="output" alt="output" src="data:image/png;base64,' in page
    assert "Warning" not in "".join(re.findall(r'<pre class="output">(.*?)</pre>', page, re.DOTALL))


@pytest.mark.process
@pytest.mark.slow
def test_the_site_asks_nothing_of_the_network(site):
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?((?:https?:)?//[^\" >]+)")
    for page in site.rglob("*.html"):
        assert loads.findall(page.read_text(encoding="utf-8")) == [], page
