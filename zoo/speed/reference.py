"""Reference: a fixed small piece of work that tells how fast the machine runs at this moment."""

import time

import torch

SIDE, PRODUCTS, NUMBERS, COPIES, TRIES = 128, 5, 2**20, 2, 3  # 0.4 ms a try, half of it products, half copies
CALIBRATION_SECONDS = 0.3


class Reference:
    """Matrix products within a core's own cache and copies beyond it; `best` is the fastest so far, or known before.

    On a shared machine clocks, the shared cache and memory come and go with the neighbours, in spells of milliseconds
    to minutes. Work between two slow readings was slowed too, and says nothing of the work. Products alone miss most
    spells: training steps slow down as copies do.
    """

    def __init__(self, best: float | None = None) -> None:
        random = torch.Generator().manual_seed(0)
        self._left, self._right = (torch.randn(SIDE, SIDE, generator=random) for _ in range(2))
        self._product = torch.empty(SIDE, SIDE)
        self._source, self._copy = torch.randn(NUMBERS, generator=random), torch.empty(NUMBERS)
        self.best = best if best is not None else float("inf")
        began = time.perf_counter()
        while time.perf_counter() - began < CALIBRATION_SECONDS:
            self.seconds()

    def seconds(self) -> float:
        """Its time now: the fastest of a few tries."""
        found = min(self._once() for _ in range(TRIES))
        self.best = min(self.best, found)
        return found

    def _once(self) -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            for _ in range(PRODUCTS):
                torch.mm(self._left, self._right, out=self._product)
            for _ in range(COPIES):
                self._copy.copy_(self._source)
        return time.perf_counter() - started
