"""An LSTM whose last state looks back over all its states in several ways at once."""

from typing import Annotated

import torch
from torch import Tensor, nn

from zoo.layers.head import Head
from zoo.problem import Problem
from zoo.registry import register
from zoo.space import Float, Int


@register(
    "multihead-attention-lstm",
    summary="LSTM with several attention heads over its states, the last state as query",
    source="Vaswani et al. 2017, section 3.2.2, over the states of an LSTM, so without positions",
    tags=("lstm", "attention"),
)
class MultiheadAttentionLSTM(nn.Module):
    """Forecast from the last state plus what each head recalls of all states.

    weight_t of head k = softmax over t of (Q_k state_lookback . K_k state_t / sqrt(head_size))
    recalled of head k = sum over t of weight_t V_k state_t
    forecast = W N(state_lookback + O [recalled of all heads]) + b, N: layer normalisation
    """

    def __init__(
        self,
        problem: Problem,
        *,
        hidden_size: Annotated[int, Int(16, 256, log=True)] = 64,
        heads: Annotated[int, Int(1, 8)] = 4,
        head_size: Annotated[int, Int(4, 32)] = 16,
        dropout: Annotated[float, Float(0.0, 0.5)] = 0.0,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.lstm = nn.LSTM(problem.channels, hidden_size, batch_first=True)
        self.query = nn.Linear(hidden_size, heads * head_size)
        self.key_value = nn.Linear(hidden_size, 2 * heads * head_size)
        self.out = nn.Linear(heads * head_size, hidden_size)
        self.norm = nn.LayerNorm(hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = Head(hidden_size, problem.output_shape)

    def forward(self, x: Tensor) -> Tensor:
        states_BLH, _ = self.lstm(x)
        last_BH = states_BLH[:, -1]
        query_BKF = self.query(last_BH).unflatten(1, (self.heads, -1))
        key_BLKF, value_BLKF = (part.unflatten(2, (self.heads, -1)) for part in self.key_value(states_BLH).chunk(2, 2))
        scores_BLK = torch.einsum("bkf,blkf->blk", query_BKF, key_BLKF) / query_BKF.shape[2] ** 0.5
        recalled_BKF = torch.einsum("blk,blkf->bkf", scores_BLK.softmax(dim=1), value_BLKF)
        joined_BH = self.norm(last_BH + self.out(recalled_BKF.flatten(1)))
        return self.head(self.dropout(joined_BH))
