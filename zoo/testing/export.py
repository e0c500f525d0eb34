"""Checks of torch.compile and ONNX; where one does not work, a limit gives the reason."""

import importlib.util
import io

import torch

from zoo.testing.helpers import (
    NotApplicable,
    declaration,
    expecting,
    problem,
    require_same,
    require_undeclared,
    shaken,
    windows,
)
from zoo.train.export import PACKAGES, quiet

CLOSE = 1e-3
STEPS = 3  # of lookback (a first, a middle, a last one): a loop over steps becomes as many copies in a trace


def compiles(name: str) -> None:
    """torch.compile traces it, and the traced model computes the same; or the limit "compile" gives the reason"""
    require_undeclared(name, "compile")
    model, x = shaken(name, problem(lookback=STEPS))
    expected = model(x).detach()
    cause = "control flow on values, .item(), .numpy() or a custom autograd function in forward; "
    cause += declaration("compile")
    torch._dynamo.reset()
    try:
        with expecting("a traced forward and backward pass", cause), quiet():
            # Not inductor: its C++ compiler may be missing, and it compiles the same trace.
            forecast = torch.compile(model, backend="aot_eager", dynamic=False)(x)
            if model.is_trainable:
                forecast.square().mean().backward()
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

    model, example = shaken(name, problem(lookback=STEPS))
    x = windows(model.problem, batch=7, seed=1)
    cause = "a shape read as a Python number in forward, or an operator that ONNX lacks; " + declaration("onnx")
    buffer = io.BytesIO()
    with expecting("an ONNX model that runs", cause), quiet(), torch.no_grad():
        shapes = ({0: torch.export.Dim("batch")},)
        program = torch.onnx.export(model, (example,), dynamo=True, verbose=False, dynamic_shapes=shapes)
        assert program is not None
        program.save(buffer)  # type: ignore[arg-type]  # it takes any file
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(buffer.getvalue(), options)
        (forecast,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    expected = model(x).detach()
    require_same(torch.from_numpy(forecast), expected, "the same forecast from ONNX Runtime", cause, tolerance=CLOSE)
