"""Trend and remainder of a window, by a moving average."""

from torch import Tensor, nn


def decomposed(x_BLC: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """The centred moving average over `width` steps (an odd number), and what remains; edge values are repeated.

    Source: Wu et al. 2021, Autoformer, section 3.1.
    """
    padded_BCL = nn.functional.pad(x_BLC.transpose(1, 2), (width // 2, width // 2), mode="replicate")
    trend_BLC = nn.functional.avg_pool1d(padded_BCL, width, stride=1).transpose(1, 2)
    return trend_BLC, x_BLC - trend_BLC
