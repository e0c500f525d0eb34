"""OnnxModel: an exported model in ONNX Runtime; nothing here needs torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from zoo.ahead import classified, forecast_ahead
from zoo.data.cases import Cases
from zoo.data.table import Table
from zoo.errors import InputError, unknown
from zoo.files import read_input
from zoo.frames import Rows, windows_before
from zoo.model_file import ModelFile
from zoo.records import reason

METADATA = "lstm-zoo"


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
        try:
            self.file = ModelFile.model_validate_json(text)
        except ValidationError as error:
            raise InputError(
                f"{name} was exported by another version of zoo ({reason(error, ModelFile)}): export the model again"
            ) from error
        self.places = {name: place for place, name in enumerate(self.file.series)}

    def run(self, x_BLC: np.ndarray, place_B: np.ndarray | None = None) -> np.ndarray:
        """What the file gives of raw windows and, of several series, the place of each window's among them."""
        feed = {"x": x_BLC, "series": place_B} if self.places else {"x": x_BLC}
        (forecast,) = self.session.run(None, feed)
        return np.asarray(forecast)

    def forecasts(self, x_BLC: np.ndarray, series: Sequence[str] | None = None) -> np.ndarray:
        """Raw forecasts, float64 [B, T, D] (of quantiles [B, T, D, Q], of classes their probabilities [B, K]), of raw
        windows [B, L, C].

        series: of a model of several, the name of each window's. Further channels come after the columns, in the order
        of file: calendar, known, categories, masked; they and outliers are as the model reads them, see docs/export.md.
        """
        if (series is not None) != bool(self.places):
            way_out = "name that of each window" if self.places else "leave out series"
            raise InputError(f"the model is of {'several series' if self.places else 'one series'}: {way_out}")
        x_BLC = np.asarray(x_BLC, dtype=np.float64)
        if series is None:
            return self.run(x_BLC)
        if unseen := [name for name in series if name not in self.places]:
            raise unknown("series", str(unseen[0]), list(self.places), "of the model")
        return self.run(x_BLC, np.array([self.places[name] for name in series], dtype=np.int64))

    def forecast_next(self, table: Table, *, origin: str | None = None, missing: str | None = None) -> pd.DataFrame:
        """The horizon after the table's last row, or after earlier ones, as zoo.forecast_next gives it."""
        return forecast_ahead(self.file, self.network, table, origin=origin, missing=missing)

    def classify(self, cases: Cases) -> pd.DataFrame:
        """The class of each case and the probability of every class, as zoo.classify gives them."""
        return classified(self.file, self.network, cases)

    def network(self, rows: Rows, ends: np.ndarray, lookback: int) -> np.ndarray:
        """What computes its output, see zoo.ahead."""
        forecast = self.run(windows_before(rows.raw, ends, lookback), np.full(len(ends), rows.place))
        return forecast if self.file.classes or forecast.ndim == 4 else forecast[..., None]
