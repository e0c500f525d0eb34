"""Operators: those of a traced step that are compiled, as text; numba's helper functions for them."""

from collections.abc import Callable
from typing import Any

import torch

aten: Any = torch.ops.aten

POINTWISE: dict[Any, Callable[..., str]] = {
    aten.add.Tensor: lambda a, b: f"({a} + {b})",
    aten.sub.Tensor: lambda a, b: f"({a} - {b})",
    aten.mul.Tensor: lambda a, b: f"({a} * {b})",
    aten.div.Tensor: lambda a, b: f"({a} / {b})",
    aten.add.Scalar: lambda a, b: f"({a} + {b})",
    aten.mul.Scalar: lambda a, b: f"({a} * {b})",
    aten.div.Scalar: lambda a, b: f"({a} / {b})",
    aten.rsub.Scalar: lambda a, b: f"({b} - {a})",
    aten.neg.default: lambda a: f"(-{a})",
    aten.sigmoid.default: lambda a: f"sigmoid({a})",
    aten.tanh.default: lambda a: f"tanh({a})",
    aten.exp.default: lambda a: f"exp({a})",
    aten.softplus.default: lambda a: f"softplus({a})",
    aten.softplus_backward.default: lambda g, x, _beta, _threshold: f"({g} * sigmoid({x}))",
    aten.pow.Tensor_Scalar: lambda a, power: f"({a} ** {power})",
    aten.relu.default: lambda a: f"max({a}, ZERO)",
    aten.sigmoid_backward.default: lambda g, s: f"({g} * {s} * (ONE - {s}))",
    aten.tanh_backward.default: lambda g, t: f"({g} * (ONE - {t} * {t}))",
    aten.threshold_backward.default: lambda g, x, limit: f"({g} if {x} > {limit} else ZERO)",
    aten.reciprocal.default: lambda a: f"(ONE / {a})",
    aten.sqrt.default: lambda a: f"sqrt({a})",
    aten.rsqrt.default: lambda a: f"(ONE / sqrt({a}))",
    aten.zeros_like.default: lambda _: "ZERO",
    aten.detach.default: lambda a: a,
    aten.alias.default: lambda a: a,
    aten.clone.default: lambda a: a,
}
SUM_OF_ROW = """\
    for r in range(rows):
        total = ZERO
        for b in range(columns):
            i = r * columns + b
            total += {term}
        out0[r] = total
"""
SUM_OF_COLUMN = """\
    for b in range(columns):
        out0[b] = ZERO
    for r in range(rows):
        for b in range(columns):
            i = r * columns + b
            out0[b] += {term}
"""
TURNS = (aten.t.default, aten.permute.default, aten.transpose.int)
FASTMATH = {  # numba's options of a function, by its kind
    "loop": "fastmath={'contract'}, error_model='numpy'",
    "sum": "fastmath={'contract', 'reassoc'}, error_model='numpy'",
}

HELPERS = {
    torch.float32: '''
ZERO, ONE = np.float32(0), np.float32(1)


@njit(inline="always", fastmath={"contract"}, error_model="numpy")
def tanh(x):
    """The rational approximation of Eigen (Eigen/src/Core/MathFunctionsImpl.h), good to 2e-7."""
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


@njit(inline="always", fastmath={"contract"}, error_model="numpy")
def exp(x):
    """2^k exp(r) as Cephes has it (expf), good to 1e-7; infinite above 88.4, at least exp(-87)."""
    x = np.float32(89) if x > np.float32(89) else x
    x = np.float32(-87) if x < np.float32(-87) else x
    k = np.floor(x * np.float32(1.44269504088896341) + np.float32(0.5))
    r = x - k * np.float32(0.693359375) - k * np.float32(-2.12194440e-4)
    p = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    return (p * r * r + r + ONE) * np.int32((np.int32(k) + np.int32(127)) << np.int32(23)).view(np.float32)


@njit(inline="always", fastmath={"contract"}, error_model="numpy")
def sigmoid(x):
    return ONE / (ONE + exp(-x))


@njit(inline="always", fastmath={"contract"}, error_model="numpy")
def softplus(x):
    """max(x, 0) + log1p(exp(-|x|)), the logarithm by the series of 2 artanh."""
    t = exp(-abs(x))
    s = t / (t + np.float32(2))
    y = s * s
    p = y * np.float32(2 / 15) + np.float32(2 / 13)
    p = y * p + np.float32(2 / 11)
    p = y * p + np.float32(2 / 9)
    p = y * p + np.float32(2 / 7)
    p = y * p + np.float32(2 / 5)
    p = y * p + np.float32(2 / 3)
    return max(x, ZERO) + s * (y * p + np.float32(2))
''',
    torch.float64: """
ZERO, ONE = np.float64(0), np.float64(1)
tanh, exp = math.tanh, math.exp


@njit(inline="always")
def sigmoid(x):
    return ONE / (ONE + math.exp(-x))


@njit(inline="always")
def softplus(x):
    return max(x, ZERO) + math.log1p(math.exp(-abs(x)))
""",
}
