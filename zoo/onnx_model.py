"""OnnxModel: an exported model in ONNX Runtime; nothing here needs torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from zoo.data.table import Table, clean, match_columns
from zoo.errors import Diverged, InputError
from zoo.files import read_input
from zoo.frames import FrameNames, Inputs, ends_of, frame_of, windows_before

METADATA = "lstm-zoo"
BATCH = 1024  # windows


@dataclass(frozen=True)
class About:
    """What an exported file says of itself."""

    variant: str
    channels: tuple[str, ...]
    targets: tuple[str, ...]
    positions: tuple[int, ...]
    lookback: int
    horizon: int
    task: str
    quantiles: tuple[float, ...]
    missing: str
    source: str


class OnnxModel:
    """A file that `zoo export` wrote, or its bytes, ready to forecast on the CPU.

    Raises InputError for another file, and where ONNX Runtime is not installed.
    """

    def __init__(self, source: str | Path | bytes) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise InputError("an ONNX model needs onnxruntime: pip install 'lstm-zoo[export]'") from error
        name, content = "the model", source
        if not isinstance(content, bytes):
            name = str(source)
            try:
                content = read_input(Path(name))
            except OSError as error:
                raise InputError(f"{name} cannot be read: {error.strerror}") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self.session: Any = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of a file that is no model
            raise InputError(f"{name} is not an ONNX model that ONNX Runtime can load") from error
        text = self.session.get_modelmeta().custom_metadata_map.get(METADATA)
        if text is None:
            raise InputError(f"{name} was not written by zoo export")
        fields: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(text).items()
        }
        self.about = About(**fields)

    def forecasts(self, x_BLC: np.ndarray) -> np.ndarray:
        """Raw forecasts, float64 [B, T, D] (of quantiles [B, T, D, Q]), of raw windows [B, L, C]."""
        (forecast,) = self.session.run(None, {"x": np.asarray(x_BLC, dtype=np.float64)})
        return np.asarray(forecast)

    def forecast_next(self, table: Table, *, origin: str | None = None, missing: str | None = None) -> pd.DataFrame:
        """The horizon after the table's last row, or after earlier ones, as zoo.forecast_next gives it."""
        about = self.about
        names = match_columns(about.channels, (*table.columns, *table.unusable), table.source)
        policy = missing or about.missing
        cleaned = clean(table.select(names), names, policy, table.source)
        if len(cleaned.values) < about.lookback:
            raise InputError(
                f"too few rows: {table.source} has {len(cleaned.values)}, the model's lookback is {about.lookback}"
            )
        time = table.time[cleaned.is_used] if table.time is not None else None
        is_interpolated, values = policy == "interpolate" and bool(cleaned.is_filled.any()), cleaned.values
        inputs = Inputs(table.source, values, values, cleaned.is_filled, time, None, is_interpolated, policy == "skip")
        ends = ends_of(inputs, origin, about.lookback)
        parts = [ends[first : first + BATCH] for first in range(0, len(ends), BATCH)]
        forecasts = np.concatenate(
            [self.forecasts(windows_before(cleaned.values, part, about.lookback)) for part in parts]
        )
        if not np.isfinite(forecasts).all():
            raise Diverged("the model's forecasts are not finite numbers")
        forecasts_kTDQ = forecasts if forecasts.ndim == 4 else forecasts[..., None]
        frame_names = FrameNames(about.targets, about.positions, about.quantiles, about.task)
        return frame_of(forecasts_kTDQ, ends, inputs, origin, frame_names)
