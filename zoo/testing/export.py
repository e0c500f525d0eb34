"""Checks of leaving Python: torch.compile and ONNX, or a limit that says why not."""

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator

import torch

from zoo.testing.broken import Broken, NotApplicable
from zoo.testing.models import furthest, learns, limit, problem, shaken, windows

CLOSE = 1e-3
NEEDED = ("onnx", "onnxscript", "onnxruntime")


def compiles(name: str) -> None:
    """torch.compile traces it, and what it traces computes the same; or the limit `compile:` says why not"""
    _declared(name, "compile")
    asked = problem()
    model, x = shaken(name, asked), windows(asked)
    expected = model(x).detach()
    cause = (
        "control flow on values, .item(), .numpy() or a custom autograd function in forward; if it is meant, declare "
    )
    cause += 'limits=("compile: why",)'
    torch._dynamo.reset()
    try:
        with _quiet():
            # Not inductor: its C++ compiler may be missing, and what it compiles is what was traced.
            traced = torch.compile(model, backend="aot_eager", dynamic=False)
            found = traced(x)
            if learns(name):
                found.square().mean().backward()
    except Exception as error:
        raise Broken("a traced forward and backward pass", f"{type(error).__name__}: {_first(error)}", cause) from error
    finally:
        torch._dynamo.reset()
    apart = furthest(found.detach(), expected)
    if not apart <= CLOSE:
        raise Broken("the same forecast compiled and not", f"{apart:.3g} between them", cause)


def exports(name: str) -> None:
    """exports to ONNX for any batch size, and ONNX Runtime computes the same; or the limit `onnx:` says why not"""
    _declared(name, "onnx")
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise NotApplicable(f"needs {', '.join(missing)}: pip install 'lstm-zoo[export]'")
    import onnxruntime

    asked = problem()
    model, x = shaken(name, asked), windows(asked, batch=7, seed=1)
    cause = "a shape read as a Python number in forward, or an operator that ONNX lacks; if it is meant, declare "
    cause += 'limits=("onnx: why",)'
    buffer = io.BytesIO()
    try:
        with _quiet(), torch.no_grad():
            shapes = ({0: torch.export.Dim("batch")},)
            program = torch.onnx.export(model, (windows(asked),), dynamo=True, verbose=False, dynamic_shapes=shapes)
            assert program is not None
            program.save(buffer)  # type: ignore[arg-type]  # it takes any file
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(buffer.getvalue(), options)
        (found,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    except Exception as error:
        raise Broken("an ONNX model that runs", f"{type(error).__name__}: {_first(error)}", cause) from error
    with torch.no_grad():
        apart = furthest(torch.from_numpy(found), model(x))
    if not apart <= CLOSE:
        raise Broken("the same forecast from ONNX Runtime", f"{apart:.3g} between them", cause)


def _declared(name: str, topic: str) -> None:
    declared = limit(name, topic)
    if declared is not None:
        raise NotApplicable(f"declares: {declared}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the compiler's own warnings and log lines, which speak of its insides."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]
