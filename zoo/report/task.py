"""What a report says of each task: which error skill is made of, the columns of its table, and how to read them."""

from dataclasses import dataclass

from zoo.metrics import CLASS_METRICS, DIRECTION_METRICS, MOVE_METRICS, QUANTILE_METRICS


@dataclass(frozen=True)
class Column:
    """A metric in a table. decimals: None for five digits of the mean; best: min or max, "" where neither is better;
    is_pooled: whether it can be computed over folds."""

    title: str
    metric: str
    best: str = "min"
    decimals: int | None = None
    is_percent: bool = False
    is_pooled: bool = True


@dataclass(frozen=True)
class Task:
    """error: the metric that skill is made of; is_squared: skill is of the root of the windows' losses; columns: of the
    table, narrow: those that any terminal shows; metrics: beyond those of a point forecast; legend: how to read them,
    with {units}, {share} and {flat}; naive: what the naive forecast is; title: a board's, with {what}."""

    error: str
    columns: tuple[Column, ...]
    narrow: tuple[str, ...]
    legend: str
    metrics: tuple[str, ...] = ()
    is_squared: bool = False
    naive: str = "repeating the last value"
    title: str = "{what}"


ACCURACY = Column("accuracy %", "accuracy", "max", 1, is_percent=True)
BALANCED = Column("balanced %", "balanced_accuracy", "max", 1, is_percent=True)
AUC = Column("auc", "roc_auc", "max", 3)
LOG_LOSS = Column("log loss", "log_loss")
BRIER = Column("brier", "brier")
F1 = Column("macro f1", "macro_f1", "max", 3)

TASKS = {
    "forecast": Task(
        error="rmse",
        is_squared=True,
        columns=(Column("rmse", "rmse"), Column("mae", "mae"), Column("r2", "r2", "max", 5, is_pooled=False)),
        narrow=("rmse",),
        legend="rmse and mae are in {units}; lower is better. skill: 1 - rmse / naive's rmse on the same windows; "
        "above 0 is better than naive, which repeats the last value.",
    ),
    "quantile": Task(
        error="crps",
        metrics=QUANTILE_METRICS,
        columns=(
            Column("crps", "crps"),
            Column("coverage %", "coverage", "", 1, is_percent=True),
            Column("width", "width", ""),
            Column("winkler", "winkler"),
            Column("rmse", "rmse"),
        ),
        narrow=("crps", "coverage %"),
        legend="crps, width, winkler and rmse are in {units}; lower is better. crps: twice the mean pinball loss of "
        "the quantiles. coverage: actual values between the outer quantiles, {share} is right. width: between these. "
        "winkler: the width and a penalty for values outside. rmse: of the median. skill: 1 - crps / naive's crps "
        "on the same windows; naive repeats the last value, its quantiles are those of its errors on validation.",
    ),
    "direction": Task(
        error="brier",
        metrics=DIRECTION_METRICS,
        columns=(BRIER, LOG_LOSS, ACCURACY, BALANCED, AUC),
        narrow=("brier", "accuracy %", "auc"),
        legend="a forecast is the probability that the target lies above its last value. brier: its mean squared "
        "error; log loss: of what happened; lower is better. accuracy: directions with the larger probability; "
        "balanced: mean of that among rises and among the others; auc: 0.5 is chance. skill: 1 - brier / naive's "
        "brier; naive always forecasts the usual share of rises, by the training and validation parts.",
        naive="always forecasting the usual share of rises",
        title="direction of {what}",
    ),
    "move": Task(
        error="rps",
        metrics=MOVE_METRICS,
        columns=(Column("rps", "rps"), LOG_LOSS, ACCURACY, BALANCED, F1, AUC),
        narrow=("rps", "accuracy %"),
        legend="a forecast is three probabilities: the target falls, changes by {flat} at most, or rises. rps: the "
        "mean squared error of the probability of a fall and of that of a rise; log loss: of what happened; lower is "
        "better. accuracy: moves with the largest probability; balanced: the mean of that over the three; auc: each "
        "against the others, 0.5 is chance. skill: 1 - rps / naive's rps; naive always forecasts the usual shares, by "
        "the training and validation parts. A gain may come from knowing when values move, and not which way.",
        naive="always forecasting the usual shares",
        title="moves of {what}",
    ),
    "classify": Task(
        error="error_rate",
        metrics=CLASS_METRICS,
        columns=(ACCURACY, BALANCED, F1, AUC, LOG_LOSS, BRIER),
        narrow=("accuracy %", "macro f1"),
        legend="accuracy: cases whose class got the largest probability; balanced: the mean of that over classes; "
        "macro f1: the mean over classes of the harmonic mean of precision and recall; auc: each class against the "
        "others, 0.5 is chance; log loss: of the actual class, and brier: the squared error of the probabilities; both "
        "lower is better. skill: 1 - error rate / naive's error rate; naive always names the most frequent class of "
        "the training part.",
        naive="always naming the most frequent class",
    ),
}
