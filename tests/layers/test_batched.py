"""The Triton kernels give what the operations of PyTorch give, here as Triton interprets them on a CPU."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")

COMPARE = """
import sys
import torch
from zoo.layers import batched, persistent

size, shown, batch, length, models = map(int, sys.argv[1:])
random = torch.Generator().manual_seed(0)
draw = lambda *shape: torch.randn(shape, generator=random)
z, h0, c0 = draw(models, length, batch, 4 * size), draw(models, batch, shown), draw(models, batch, size)
w_hh = draw(models, 4 * size, shown) / size**0.5
w_hr = draw(models, shown, size) / size**0.5 if shown != size else None
ours, theirs = (run(z, h0, c0, w_hh, w_hr) for run in (persistent.forward, batched._forward))
d_states, d_last = draw(*ours[0].shape), draw(*c0.shape)
start = d_states, d_last, w_hh, w_hr
backs = persistent.backward(*start, *ours[2:]), batched._backward(*start, *theirs[2:])
for one, other in (*zip(ours, theirs, strict=True), *zip(*backs, strict=True)):
    assert (one is None) == (other is None)
    if one is not None:
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
print("equal")
"""


@pytest.mark.process
@pytest.mark.parametrize(
    "sizes", [(8, 8, 5, 4, 2), (24, 24, 20, 1, 3), (24, 7, 17, 3, 2), (64, 64, 16, 2, 1), (64, 16, 3, 5, 2)], ids=str
)
def test_interpreted_kernels_give_what_the_operations_give(sizes):
    command = [sys.executable, "-c", COMPARE, *map(str, sizes)]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)
    assert run.stdout == "equal\n", run.stderr[-1500:]
