"""Data flows one way: an import points only to a room above."""

import ast
from pathlib import Path

import pytest

ROOMS = [
    "startup", "errors", "tracking", "family", "files", "seeding", "timeout", "records", "migration", "space",
    "plugins", "problem", "data", "inline", "adaptive", "model_file", "frames", "ahead", "onnx_model", "metrics",
    "layers", "registry", "models", "train", "cell", "suite", "benchmark", "run", "stats", "throughput",
    "tuning", "report", "selection", "notebook", "choice", "compared", "timed", "backtest", "forecaster",
    "window_regressor", "sktime_forecaster", "testing", "learn", "explanation", "cli",
]  # fmt: skip
HOME = Path(__file__).parents[1] / "zoo"
FILES = sorted(path.relative_to(HOME).as_posix() for path in HOME.rglob("*.py"))


@pytest.mark.parametrize("name", [name for name in FILES if name != "__init__.py"])
def test_imports_point_up_only(name):
    room = name.split("/")[0].removesuffix(".py")
    assert room in ROOMS, f"{name} is in no known room"
    for node in ast.walk(ast.parse((HOME / name).read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "zoo":
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("zoo."):
            imported = [node.module.split(".")[1]]
        elif isinstance(node, ast.Import):
            imported = [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("zoo.")]
        else:
            continue
        for other in imported:
            is_above = other == "__version__" or ROOMS.index(other) <= ROOMS.index(room)
            assert is_above, f"{name} imports {other}, a room below it"
