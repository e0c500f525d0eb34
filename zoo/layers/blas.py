"""Matrix products for compiled code: the BLAS that PyTorch brings, called without Python."""

import ctypes
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


@lru_cache(maxsize=2)
def blas_address(dtype: torch.dtype) -> int:
    """Where PyTorch's sgemm or dgemm lies; raises LookupError for a build that does not export it."""
    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    try:
        function = getattr(ctypes.CDLL(str(library)), "sgemm_" if dtype == torch.float32 else "dgemm_")
    except (OSError, AttributeError) as error:
        raise LookupError("this build of PyTorch exports no BLAS") from error
    return int(ctypes.cast(function, ctypes.c_void_p).value or 0)


def _product(real: Any, kind: Any) -> Any:
    @intrinsic  # type: ignore[untyped-decorator]
    def product(_: Any, address, ta, tb, m, n, k, a, b, beta, c):  # type: ignore[no-untyped-def]  # noqa: ARG001
        """C [m, n] = A @ B + beta * C by the function at an address; a, b, c: addresses of row-major matrices, of which
        ta, tb say whether they are used transposed."""
        signature = types.void(types.intp, types.boolean, types.boolean, *[types.intp] * 5, kind, types.intp)

        def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
            address, ta, tb, m, n, k, a, b, beta, c = values
            m, n, k = (builder.trunc(size, ir.IntType(32)) for size in (m, n, k))
            ta, tb = (flag if flag.type.width == 1 else builder.trunc(flag, ir.IntType(1)) for flag in (ta, tb))
            letters = [builder.select(flag, ir.IntType(8)(ord("T")), ir.IntType(8)(ord("N"))) for flag in (tb, ta)]
            a, b, c = (builder.inttoptr(place, real.as_pointer()) for place in (a, b, c))

            def slot(value: Any) -> Any:
                room = cgutils.alloca_once(builder, value.type)
                builder.store(value, room)
                return room

            # BLAS is column-major and sees each matrix transposed: C.T = B.T @ A.T.
            widths = builder.select(tb, k, n), builder.select(ta, m, k)
            arguments = [*map(slot, (*letters, n, m, k, real(1.0))), b, slot(widths[0]), a, slot(widths[1])]
            arguments += [slot(beta), c, slot(n)]
            function = ir.FunctionType(ir.VoidType(), [argument.type for argument in arguments])
            builder.call(builder.inttoptr(address, function.as_pointer()), arguments)
            return context.get_dummy_value()

        return signature, generate

    return product


gemm32 = _product(ir.FloatType(), types.float32)
gemm64 = _product(ir.DoubleType(), types.float64)
