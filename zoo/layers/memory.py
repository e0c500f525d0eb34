"""The mLSTM of xLSTM: a memory that is a matrix, computed for all steps at once."""

import torch
from torch import Tensor, nn


class MLSTM(nn.Module):
    """The states [B, last, H] of the last steps of x [B, L, C], all without `last`; heads of `head_size` units each.

    Memory grows as B * heads * L * last.

    C_t = f_t C_t-1 + exp(i_t) v_t k_t',   n_t = f_t n_t-1 + exp(i_t) k_t
    state_t = o_t * C_t q_t / max(|n_t' q_t|, 1),   o_t a sigmoid; k_t over sqrt(head_size)

    Source: Beck et al. 2024, xLSTM: Extended Long Short-Term Memory, section 2.3 and appendix A.3 (parallel form), with
    a sigmoid forget gate.
    """

    def __init__(self, channels: int, heads: int, head_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(channels, 4 * heads * head_size)
        self.gates = nn.Linear(channels, 2 * heads)
        nn.init.constant_(self.gates.bias[heads:], 3.0)  # forget gates start open, as in the paper's models

    def forward(self, x: Tensor, last: int | None = None) -> Tensor:
        q, k, v, o = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in self.project(x).chunk(4, dim=2))
        i_BKL, f_BKL = self.gates(x).transpose(1, 2).chunk(2, dim=1)
        first = 0 if last is None else x.shape[1] - last
        read_BKTF = matrix_memory(q[:, :, first:], k, v, i_BKL, f_BKL)
        return (o[:, :, first:].sigmoid() * read_BKTF).transpose(1, 2).flatten(2)


def matrix_memory(q_BKTF: Tensor, k_BKLF: Tensor, v_BKLF: Tensor, i_BKL: Tensor, f_BKL: Tensor) -> Tensor:
    """What the queries of the last T steps read, [B, K, T, F]; K heads, gates before their functions."""
    length, steps, features = i_BKL.shape[2], *q_BKTF.shape[2:]
    kept_BKL = nn.functional.logsigmoid(f_BKL).cumsum(2)
    # The logarithm of the weight of step l at step t: all forget gates between them, and the input gate of l.
    weight_BKTL = kept_BKL[:, :, -steps:, None] + (i_BKL - kept_BKL)[:, :, None]
    is_later_TL = torch.ones(steps, length, dtype=torch.bool, device=i_BKL.device).triu(length - steps + 1)
    weight_BKTL = weight_BKTL.masked_fill(is_later_TL, float("-inf"))
    most_BKT1 = weight_BKTL.amax(dim=3, keepdim=True)
    scores_BKTL = q_BKTF @ k_BKLF.transpose(2, 3) / features**0.5 * (weight_BKTL - most_BKT1).exp()
    norm_BKT1 = torch.maximum(scores_BKTL.sum(3, keepdim=True).abs(), (-most_BKT1).exp())
    return scores_BKTL / norm_BKT1 @ v_BKLF
