"""Head: features of the last lookback step become a direct forecast of all horizon steps."""

from torch import Tensor, nn


class Head(nn.Module):
    """A linear map from features [B, F] to a forecast [B, *output_shape]."""

    def __init__(self, features: int, output_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.output_shape = output_shape
        size = 1
        for length in output_shape:
            size *= length
        self.linear = nn.Linear(features, size)

    def start_at_zero(self) -> None:
        """Set weights and bias to zero, so that the first forecast is zero (a zero last layer: Zhang, Dauphin
        & Ma 2019, "Fixup Initialization", section 3)."""
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features_BF: Tensor) -> Tensor:
        return self.linear(features_BF).unflatten(1, self.output_shape)
