"""Algorithm: which path PyTorch takes for a recurrent layer, by its own rules, told before anything runs."""

from dataclasses import dataclass

import torch
from torch import nn

SMALL = {"LSTM": (192, 128), "GRU": (192, 128), "RNN": (384, 256)}  # largest hidden size forward, backward


@dataclass(frozen=True)
class Gpu:
    """What the rules ask of a CUDA device."""

    major: int
    minor: int
    multiprocessors: int

    @classmethod
    def here(cls) -> "Gpu":
        """The current device."""
        found = torch.cuda.get_device_properties(torch.cuda.current_device())
        return cls(found.major, found.minor, found.multi_processor_count)


def expected(
    model: nn.Module, *, device: str, dtype: str, batch_size: int, lookback: int, is_training: bool
) -> dict[str, dict[str, str]]:
    """The path of each recurrent layer by its name in the model: {"variant.lstm": {"forward": "onednn"}}.

    backward is told for training steps alone.
    """
    found = {}
    for name, layer in model.named_modules():
        if isinstance(layer, nn.RNNBase):
            phases = ("forward", "backward") if is_training else ("forward",)
            found[name] = {
                phase: cudnn_algorithm(layer, Gpu.here(), dtype, batch_size, lookback, is_forward=phase == "forward")
                if device == "cuda"
                else (cpu_path(layer) if device == "cpu" else device)
                for phase in phases
            }
    return found


def cpu_path(layer: nn.RNNBase) -> str:
    """`onednn` or `native`: oneDNN has LSTMs without projection (PyTorch's aten/src/ATen/native/RNN.cpp, use_mkldnn);
    a projected one goes through zoo.layers.projected where a variant uses it, and that is native too."""
    is_onednn = layer.mode == "LSTM" and layer.proj_size == 0 and torch.backends.mkldnn.is_available()
    return "onednn" if is_onednn else "native"


def cudnn_algorithm(
    layer: nn.RNNBase, gpu: Gpu, dtype: str, batch_size: int, lookback: int, *, is_forward: bool
) -> str:
    """The cuDNN algorithm that PyTorch asks for, input not packed, cuDNN >= 8.2.1.

    Source: PyTorch, aten/src/ATen/native/cudnn/RNN.cpp, get_algo and the heuristics it calls, in their order:
    standard with a projection; persistent-static-small-h for small hidden sizes in anything but double;
    persistent-static in float16 where layer, batch and device suit it; else standard. In bfloat16 cuDNN 9.19 runs
    its standard kernels on an H100 where it is asked for the small ones.
    """
    if layer.proj_size != 0:
        return "standard"
    kind = layer.mode.split("_")[0]
    if dtype != "float64" and gpu.major >= 6 and layer.hidden_size <= SMALL[kind][0 if is_forward else 1]:
        return "persistent-static-small-h"
    if dtype == "float16" and _suits_layer(layer) and _suits_device(layer, kind, gpu, batch_size, lookback):
        return "persistent-static"
    return "standard"


def _suits_layer(layer: nn.RNNBase) -> bool:
    is_plain = layer.num_layers == 1 and not layer.bidirectional and layer.hidden_size <= 1024
    return is_plain and layer.hidden_size % 128 == 0 and layer.input_size % 128 == 0


def _suits_device(layer: nn.RNNBase, kind: str, gpu: Gpu, batch_size: int, lookback: int) -> bool:
    if gpu.major == 7:
        if gpu.minor == 5:
            return False
        is_good = (batch_size % 16 == 0 and batch_size not in (80, 112)) or batch_size == 8
        limits = ((40, 128), (20, 96), (10, 32))  # steps at least, batch at most
        return is_good and any(lookback >= steps and batch_size <= most for steps, most in limits)
    if gpu.major < 8 or gpu.multiprocessors < 98 or gpu.minor == 6 or kind == "GRU":
        return False
    is_good = batch_size % 8 == 0 and batch_size <= 128
    return is_good if kind == "LSTM" else is_good and (batch_size < 96 or layer.hidden_size < 896)
