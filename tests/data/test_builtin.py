"""Data sets of other packages are read from their files, as these packages themselves read them."""

import importlib
import subprocess
import sys

import pandas as pd
import pytest

from zoo.data import builtin
from zoo.data.builtin import BUILT_IN
from zoo.errors import InputError


@pytest.mark.slow  # imports arch
@pytest.mark.parametrize(
    ("name", "folder"), [("sp500", "sp500"), ("nasdaq", "nasdaq"), ("wti", "wti"), ("vix", "vix"),
                         ("bond-yields", "default")],
)  # fmt: skip
def test_frames_are_those_of_arch(name, folder):
    theirs = importlib.import_module(f"arch.data.{folder}").load()
    theirs = theirs.drop(columns="Adj Close", errors="ignore").rename(columns={"DCOILWTICO": "price"})
    pd.testing.assert_frame_equal(BUILT_IN[name].read(), theirs, check_exact=True)


@pytest.mark.parametrize(("name", "folder"), [("co2", "co2"), ("sunspots", "sunspots"), ("sea-temperature", "elnino"),
                                              ("electrical-equipment", "elec_equip")])  # fmt: skip
def test_values_are_those_of_statsmodels(name, folder):
    theirs = importlib.import_module(f"statsmodels.datasets.{folder}").load_pandas().data
    ours = BUILT_IN[name].read()
    if name == "sea-temperature":
        assert ours.index[0] == pd.Timestamp(f"{int(theirs['YEAR'].iloc[0])}-01-01")
        theirs = theirs.drop(columns="YEAR")
    elif name != "sunspots":
        assert ours.index.equals(theirs.index)
    assert ours.to_numpy(float).ravel() == pytest.approx(theirs.to_numpy(float).ravel(), rel=0, abs=0, nan_ok=True)


@pytest.mark.process
def test_reading_a_data_set_does_not_import_its_package():
    program = (
        "import sys; from zoo.data.builtin import frame; frame('sp500'), frame('co2');"
        "assert not {'arch', 'statsmodels', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(builtin, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"the data set 'co2' needs statsmodels: pip install 'lstm-zoo\[data\]'"):
        builtin.frame("co2")


def test_a_package_without_the_file_is_named(monkeypatch, tmp_path):
    (tmp_path / "arch").mkdir()
    (tmp_path / "arch" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "arch", raising=False)
    with pytest.raises(InputError, match=r"'vix' needs a version with .*vix.csv.gz: pip install"):
        builtin.frame("vix")
