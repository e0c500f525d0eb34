"""Schedule: the learning rate of the next epoch."""

import math

from zoo.train.config import FitConfig

FACTOR, LEAST_GAIN = 0.5, 1e-4  # plateau: the rate is multiplied by FACTOR; a loss counts from this share lower


class Schedule:
    """The config's schedule over `epochs` epochs.

    cosine lowers the rate to zero; plateau halves it when more than patience / 3 epochs in turn have not lowered the
    loss; none leaves it.
    """

    def __init__(self, config: FitConfig, epochs: int) -> None:
        self.config, self.epochs = config, epochs
        self.rate, self.patience = config.learning_rate, max(1, config.patience // 3)
        self.best, self.waited = math.inf, 0

    def after(self, number: int, loss: float) -> float:
        """The rate of the epoch that follows epoch `number` (from 1) and its watched loss."""
        if self.config.schedule == "cosine":
            return self.config.learning_rate * (1 + math.cos(math.pi * number / self.epochs)) / 2
        if self.config.schedule == "plateau":
            self.waited += 1
            if loss < self.best * (1 - LEAST_GAIN):
                self.best, self.waited = loss, 0
            elif self.waited > self.patience:
                self.rate, self.waited = self.rate * FACTOR, 0
        return self.rate
