"""An LSTM layer over a whole sequence as compiled code: its states, and its gradients by hand.

Numbers lie as [steps, rows, batch], so that a gate is one block of memory. Arguments are sizes and the addresses of
contiguous float32 arrays. blas: the address of sgemm; steps L, hidden size H, batch B, inputs K; width: rows of a step
in `out`, of which this direction has H from the row `row` on; is_reversed: from the last step to the first. Gates are
in PyTorch's order i, f, g, o.
"""

import numpy as np
from numba import njit

from zoo.layers.addresses import BYTES, floats
from zoo.layers.blas import gemm32

ZERO, ONE = np.float32(0), np.float32(1)
FAST = {"inline": "always", "fastmath": {"contract"}, "error_model": "numpy"}


# tanh and exp as zoo.layers.operators has them for generated code.
@njit(**FAST)
def _tanh(x):  # type: ignore[no-untyped-def]
    x = np.float32(7.90531110763549805) if x > np.float32(7.90531110763549805) else x
    x = np.float32(-7.90531110763549805) if x < np.float32(-7.90531110763549805) else x
    y = x * x
    p = y * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
    p = y * p + np.float32(-8.60467152213735e-11)
    p = y * p + np.float32(5.12229709037114e-08)
    p = y * p + np.float32(1.48572235717979e-05)
    p = y * p + np.float32(6.37261928875436e-04)
    p = x * (y * p + np.float32(4.89352455891786e-03))
    q = y * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
    q = y * q + np.float32(2.26843463243900e-03)
    return p / (y * q + np.float32(4.89352518554385e-03))


@njit(**FAST)
def _sigmoid(x):  # type: ignore[no-untyped-def]
    x = -x
    x = np.float32(89) if x > np.float32(89) else x
    x = np.float32(-87) if x < np.float32(-87) else x
    k = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    r = x - k * np.float32(0.693359375) - k * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    e = (p * r * r + r + ONE) * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)
    return ONE / (ONE + e)


@njit(fastmath={"contract"}, error_model="numpy")
def _gates(z, c_before, c, h, n):  # type: ignore[no-untyped-def]
    """One step of n units: from z [4n] before the gates (i, f, g, o), which are written over it, to c and h."""
    i, f, g, o = z[:n], z[n : 2 * n], z[2 * n : 3 * n], z[3 * n :]
    for k in range(n):
        i[k] = _sigmoid(i[k])
        f[k] = _sigmoid(f[k])
        g[k] = _tanh(g[k])
        o[k] = _sigmoid(o[k])
        c[k] = f[k] * c_before[k] + i[k] * g[k]
        h[k] = o[k] * _tanh(c[k])


@njit(fastmath={"contract"}, error_model="numpy")
def _gates_back(a, c_before, c, d_out, d_h, d_c, d_z, n):  # type: ignore[no-untyped-def]
    """The gradients d_z [4n] and, in place, d_c of a step with the gates a [4n]."""
    i, f, g, o = a[:n], a[n : 2 * n], a[2 * n : 3 * n], a[3 * n :]
    d_i, d_f, d_g, d_o = d_z[:n], d_z[n : 2 * n], d_z[2 * n : 3 * n], d_z[3 * n :]
    for k in range(n):
        t = _tanh(c[k])
        d = d_out[k] + d_h[k]
        d_o[k] = d * t * o[k] * (ONE - o[k])
        e = d_c[k] + d * o[k] * (ONE - t * t)
        d_i[k] = e * g[k] * i[k] * (ONE - i[k])
        d_g[k] = e * i[k] * (ONE - g[k] * g[k])
        d_f[k] = e * c_before[k] * f[k] * (ONE - f[k])
        d_c[k] = e * f[k]


@njit(fastmath={"contract", "reassoc"}, error_model="numpy")
def _add_rows(d_z, total, rows, columns):  # type: ignore[no-untyped-def]
    for r in range(rows):
        s = ZERO
        for b in range(columns):
            s += d_z[r * columns + b]
        total[r] += s


@njit(cache=True, error_model="numpy")
def forward(  # type: ignore[no-untyped-def]
    blas, L, H, B, K, width, row, is_reversed, x, wi, wh, bi, bh, h0, c0, out, gates, cells, last_h, last_c
):  # fmt: skip
    """From x [L, K, B] the states, into rows of out [L, width, B], the gates [L, 4H, B], the cells [L, H, B], and the
    last state and cell [H, B]."""
    n = H * B
    one, other = floats(bi, 4 * H), floats(bh, 4 * H)
    h_before, c_before = h0, c0
    for step in range(L):
        t = L - 1 - step if is_reversed else step
        here = gates + BYTES * 4 * n * t
        z = floats(here, 4 * n)
        for r in range(4 * H):
            z[r * B : (r + 1) * B] = one[r] + other[r]
        gemm32(blas, False, False, 4 * H, B, K, wi, x + BYTES * t * K * B, ONE, here)
        gemm32(blas, False, False, 4 * H, B, H, wh, h_before, ONE, here)
        h, c = out + BYTES * (t * width + row) * B, cells + BYTES * n * t
        _gates(z, floats(c_before, n), floats(c, n), floats(h, n), n)
        h_before, c_before = h, c
    floats(last_h, n)[:] = floats(h_before, n)
    floats(last_c, n)[:] = floats(c_before, n)


@njit(cache=True, error_model="numpy")
def backward(  # type: ignore[no-untyped-def]
    blas, L, H, B, K, width, row, is_reversed, has_below, is_first, x, wi, wh, h0, c0, out, gates, cells,
    d_out, d_h, d_c, d_x, d_wi, d_wh, d_b,
):  # fmt: skip
    """Gradients: in d_h, d_c [H, B] those of the last state and cell, afterwards those of h0 and c0; d_wi, d_wh and d_b
    are written; so is d_x [L, K, B] where `has_below`, or added to unless `is_first`."""
    n = H * B
    room = np.empty(4 * n, np.float32)
    d_z = np.intp(room.ctypes.data)
    carry, cell, total = floats(d_h, n), floats(d_c, n), floats(d_b, 4 * H)
    total[:] = ZERO
    for step in range(L - 1, -1, -1):
        t = L - 1 - step if is_reversed else step
        before = t + 1 if is_reversed else t - 1
        h_before = out + BYTES * (before * width + row) * B if step else h0
        c_before = cells + BYTES * n * before if step else c0
        _gates_back(
            floats(gates + BYTES * 4 * n * t, 4 * n), floats(c_before, n), floats(cells + BYTES * n * t, n),
            floats(d_out + BYTES * (t * width + row) * B, n), carry, cell, room, n,
        )  # fmt: skip
        beta = ZERO if step == L - 1 else ONE
        gemm32(blas, True, False, H, B, 4 * H, wh, d_z, ZERO, d_h)
        gemm32(blas, False, True, 4 * H, H, B, d_z, h_before, beta, d_wh)
        gemm32(blas, False, True, 4 * H, K, B, d_z, x + BYTES * t * K * B, beta, d_wi)
        if has_below:
            gemm32(blas, True, False, K, B, 4 * H, wi, d_z, ZERO if is_first else ONE, d_x + BYTES * t * K * B)
        _add_rows(room, total, 4 * H, B)
