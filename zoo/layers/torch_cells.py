"""The states of PyTorch's GRU and RNN, by the compiled recurrence where it is faster than PyTorch: on a CPU."""

from torch import Tensor, nn

from zoo.layers.cells import ElmanCell, GRUCell
from zoo.layers.recurrence import compiled_for, recur

NAMES = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")


def gru_states(gru: nn.GRU, x_BLC: Tensor) -> Tensor:
    """What gru(x)[0] returns: states [B, L, H] of x [B, L, C], for one batch-first layer."""
    x_LCB = x_BLC.permute(1, 2, 0)
    if compiled_for(GRUCell, x_LCB) is None:
        return gru(x_BLC)[0]
    w_ih, w_hh, b_ih, b_hh = map(gru.get_parameter, NAMES)
    gates = 2 * gru.hidden_size  # the candidate's recurrent bias is multiplied by the reset gate, so it stays apart
    bias = b_ih + nn.functional.pad(b_hh[:gates], (0, gru.hidden_size))
    initial = (x_BLC.new_zeros(gru.hidden_size, x_BLC.shape[0]),)
    weights = w_hh[:gates], w_hh[gates:], b_hh[gates:, None]
    return recur(GRUCell, x_LCB, w_ih, bias, initial, weights).permute(2, 0, 1)


def rnn_states(rnn: nn.RNN, x_BLC: Tensor) -> Tensor:
    """What rnn(x)[0] returns: states [B, L, H] of x [B, L, C], for one batch-first layer with tanh."""
    x_LCB = x_BLC.permute(1, 2, 0)
    if compiled_for(ElmanCell, x_LCB) is None:
        return rnn(x_BLC)[0]
    w_ih, w_hh, b_ih, b_hh = map(rnn.get_parameter, NAMES)
    initial = (x_BLC.new_zeros(rnn.hidden_size, x_BLC.shape[0]),)
    return recur(ElmanCell, x_LCB, w_ih, b_ih + b_hh, initial, (w_hh,)).permute(2, 0, 1)
