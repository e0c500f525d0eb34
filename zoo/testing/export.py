"""Checks of leaving Python: torch.compile and ONNX, or a limit with the reason why not."""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator

import torch

from zoo.errors import first_line
from zoo.testing.helpers import (
    Broken,
    NotApplicable,
    declaration,
    is_trainable,
    problem,
    require_same,
    require_undeclared,
    shaken,
    windows,
)

CLOSE = 1e-3
PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def compiles(name: str) -> None:
    """torch.compile traces it, and the traced model computes the same; or the limit "compile" gives the reason"""
    require_undeclared(name, "compile")
    small = problem()
    model, x = shaken(name, small), windows(small)
    expected = model(x).detach()
    cause = "control flow on values, .item(), .numpy() or a custom autograd function in forward; " + declaration(
        "compile"
    )
    torch._dynamo.reset()
    try:
        with _quiet():
            # Not inductor: its C++ compiler may be missing, and it compiles the same trace.
            traced = torch.compile(model, backend="aot_eager", dynamic=False)
            forecast = traced(x)
            if is_trainable(name):
                forecast.square().mean().backward()
    except Exception as error:
        raise Broken(
            "a traced forward and backward pass", f"{type(error).__name__}: {first_line(error)}", cause
        ) from error
    finally:
        torch._dynamo.reset()
    require_same(forecast.detach(), expected, "the same forecast compiled and not", cause, tolerance=CLOSE)


def exports(name: str) -> None:
    """exports to ONNX for any batch size, and ONNX Runtime computes the same; or the limit "onnx" gives the reason"""
    require_undeclared(name, "onnx")
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise NotApplicable(f"needs {', '.join(missing)}: pip install 'lstm-zoo[export]'")
    import onnxruntime

    small = problem()
    model, x = shaken(name, small), windows(small, batch=7, seed=1)
    cause = "a shape read as a Python number in forward, or an operator that ONNX lacks; " + declaration("onnx")
    buffer = io.BytesIO()
    try:
        with _quiet(), torch.no_grad():
            shapes = ({0: torch.export.Dim("batch")},)
            program = torch.onnx.export(model, (windows(small),), dynamo=True, verbose=False, dynamic_shapes=shapes)
            assert program is not None
            program.save(buffer)  # type: ignore[arg-type]  # it takes any file
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(buffer.getvalue(), options)
        (forecast,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    except Exception as error:
        raise Broken("an ONNX model that runs", f"{type(error).__name__}: {first_line(error)}", cause) from error
    expected = model(x).detach()
    require_same(torch.from_numpy(forecast), expected, "the same forecast from ONNX Runtime", cause, tolerance=CLOSE)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Inside, the compiler's own warnings and log lines, which are about its internals, are dropped."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
