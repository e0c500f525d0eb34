"""Arrays at an address, for compiled code: numbers are cheaper to hand over than arrays.

numba keeps what it compiled by the file of the function that is called: after a change here or in blas.py, delete the
__pycache__ of its callers.
"""

from typing import Any

from numba import carray, njit, types
from numba.extending import intrinsic

BYTES = 4  # of a float32


@intrinsic  # type: ignore[untyped-decorator]
def _pointer(_: Any, address: Any) -> Any:  # noqa: ARG001
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.inttoptr(values[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.float32)(types.intp), generate


@njit(inline="always")
def floats(address, count):  # type: ignore[no-untyped-def]
    """The `count` float32 numbers at an address."""
    return carray(_pointer(address), (count,))
