"""The temporal convolutional network: dilated convolutions that see no later step."""

from torch import Tensor, nn


class TCN(nn.Module):
    """Features [B, L, F] of x [B, L, C]; block n reaches 2 (kernel_size - 1) 2^(n-1) steps further back than the last.

    Source: Bai, Kolter & Koltun 2018, An empirical evaluation of generic convolutional and recurrent networks for
    sequence modeling, section 3; without weight normalisation.
    """

    def __init__(self, channels: int, filters: int, blocks: int, kernel_size: int, dropout: float) -> None:
        super().__init__()
        widths = [channels] + [filters] * (blocks - 1)
        self.blocks = nn.Sequential(
            *(Block(width, filters, kernel_size, 2**number, dropout) for number, width in enumerate(widths))
        )

    def forward(self, x: Tensor) -> Tensor:
        features_BFL = self.blocks(x.transpose(1, 2))
        return features_BFL.transpose(1, 2)


class Block(nn.Module):
    """Two dilated convolutions, and a way past them: [B, C, L] -> [B, F, L]."""

    def __init__(self, channels: int, filters: int, kernel_size: int, dilation: int, dropout: float) -> None:
        super().__init__()
        pad = nn.ZeroPad1d(((kernel_size - 1) * dilation, 0))
        self.convolutions = nn.Sequential(
            *(pad, nn.Conv1d(channels, filters, kernel_size, dilation=dilation), nn.ReLU(), nn.Dropout(dropout)),
            *(pad, nn.Conv1d(filters, filters, kernel_size, dilation=dilation), nn.ReLU(), nn.Dropout(dropout)),
        )
        self.past = nn.Conv1d(channels, filters, 1) if channels != filters else nn.Identity()

    def forward(self, x_BCL: Tensor) -> Tensor:
        features_BFL: Tensor = self.convolutions(x_BCL) + self.past(x_BCL)
        return features_BFL.relu()
