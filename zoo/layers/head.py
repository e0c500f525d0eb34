"""Head: features of the last lookback step become a direct forecast of all horizon steps."""

from torch import Tensor, nn


class Head(nn.Module):
    """A linear map from features [B, F] to a forecast [B, *output_shape].

    Its weights start at zero, so that an untrained variant forecasts exactly what the normalisation gives
    back (with `last`, persistence), and training has to earn every departure from it. The zero start of a
    last layer follows Zhang, Dauphin & Ma 2019, "Fixup Initialization", section 3.
    """

    def __init__(self, features: int, output_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.output_shape = output_shape
        size = 1
        for length in output_shape:
            size *= length
        self.linear = nn.Linear(features, size)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features_BF: Tensor) -> Tensor:
        return self.linear(features_BF).unflatten(1, self.output_shape)
