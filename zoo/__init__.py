"""lstm-zoo: which recurrent model is best for a series, by how much, at what cost, and does any beat naive?

Names are imported when first used, so that `import zoo` is cheap.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.backtest import Backtest
    from zoo.choice import select
    from zoo.compared import Compared, compare
    from zoo.data.cases import Cases, cases
    from zoo.data.dataset import Data
    from zoo.data.prepare import prepare
    from zoo.data.sources import load
    from zoo.data.table import Table
    from zoo.errors import Diverged, InputError
    from zoo.explanation.explain import Explanation, explain
    from zoo.forecaster import Forecaster
    from zoo.notebook import Results, bench
    from zoo.onnx_model import OnnxModel
    from zoo.problem import Problem
    from zoo.registry import create, list_models, register, variant
    from zoo.run.results import results
    from zoo.selection.select import Selection
    from zoo.sktime_forecaster import SktimeForecaster
    from zoo.space import Choice, Float, Int
    from zoo.timed import SpeedResults, speed
    from zoo.train.classify import classify
    from zoo.train.config import FitConfig
    from zoo.train.descent import Epoch, History
    from zoo.train.evaluate import evaluate, forecast
    from zoo.train.export import export
    from zoo.train.fit import fit, fit_many
    from zoo.train.forecast_next import forecast_next
    from zoo.train.store import SavedModel, load_model, save
    from zoo.tuning.result import StudyResult
    from zoo.tuning.study import tune
    from zoo.window_regressor import WindowRegressor, make_windows

__version__ = "0.1.0"

_NAMES = {
    "zoo.backtest": ("Backtest",),
    "zoo.choice": ("select",),
    "zoo.compared": ("Compared", "compare"),
    "zoo.data.cases": ("Cases", "cases"),
    "zoo.data.dataset": ("Data",),
    "zoo.data.prepare": ("prepare",),
    "zoo.data.sources": ("load",),
    "zoo.data.table": ("Table",),
    "zoo.errors": ("Diverged", "InputError"),
    "zoo.explanation.explain": ("Explanation", "explain"),
    "zoo.forecaster": ("Forecaster",),
    "zoo.notebook": ("Results", "bench"),
    "zoo.onnx_model": ("OnnxModel",),
    "zoo.problem": ("Problem",),
    "zoo.registry": ("create", "list_models", "register", "variant"),
    "zoo.run.results": ("results",),
    "zoo.selection.select": ("Selection",),
    "zoo.sktime_forecaster": ("SktimeForecaster",),
    "zoo.space": ("Choice", "Float", "Int"),
    "zoo.timed": ("SpeedResults", "speed"),
    "zoo.train.classify": ("classify",),
    "zoo.train.config": ("FitConfig",),
    "zoo.train.evaluate": ("evaluate", "forecast"),
    "zoo.train.descent": ("Epoch", "History"),
    "zoo.train.export": ("export",),
    "zoo.train.fit": ("fit", "fit_many"),
    "zoo.train.forecast_next": ("forecast_next",),
    "zoo.train.store": ("SavedModel", "load_model", "save"),
    "zoo.tuning.result": ("StudyResult",),
    "zoo.tuning.study": ("tune",),
    "zoo.window_regressor": ("WindowRegressor", "make_windows"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'zoo' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
