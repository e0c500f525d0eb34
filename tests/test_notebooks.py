"""The notebooks of docs/notebooks run from top to bottom in a kernel of their own, and are stored without outputs."""

import warnings
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.ipynb"))
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@notebooks
@pytest.mark.process
@pytest.mark.slow
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    for folder in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(folder, str(tmp_path / "jupyter"))
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # Jupyter's own
        nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
        notebook = nbformat.read(path, as_version=4)
        nbclient.NotebookClient(
            notebook, timeout=200, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
        ).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert "Warning" not in str([output for output in outputs if "image/png" not in output.get("data", {})])
    assert any("image/png" in output.get("data", {}) for output in outputs)


@notebooks
def test_a_notebook_is_stored_without_outputs(path):
    nbformat = pytest.importorskip("nbformat")
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)
