"""Startup: what is imported stays, so Python looks for garbage only after a million new objects, and then as usual.

Looking through the objects of torch and pandas again and again took a tenth of a command's start, and once more at its
end. Importing this module is what does it, in commands and their workers; `import zoo` in a program of your own does
not.
"""

import atexit
import gc
from typing import Any

FIRST = 1_000_000  # objects; a command that trains makes about half as many before it begins
_usual = gc.get_threshold()


def _go_on_as_usual(*_: Any) -> None:
    gc.set_threshold(*_usual)
    gc.callbacks.remove(_go_on_as_usual)


gc.callbacks.append(_go_on_as_usual)
gc.set_threshold(FIRST)
atexit.register(gc.disable)
