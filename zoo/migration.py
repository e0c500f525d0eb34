"""Migration: rows, best settings and models that an earlier version wrote, in the fields of this one.

JSON objects in, JSON objects out; the classes that read them check the result. Nothing else knows earlier fields.
"""

from typing import Any, Literal

SCHEMA = 2  # of rows and keys
BEST_FORMAT = 2  # of best.json
MODEL_FORMAT: Literal[2] = 2  # of model.json


def migrated_row(content: dict[str, Any]) -> dict[str, Any]:
    """A row of an earlier schema in the fields of this one; its key stays, so a run measures the cell anew.

    Raises ValueError for a schema that this version does not know.
    """
    version = content.get("schema_version", content.get("schema"))
    if version == SCHEMA:
        return content
    if version != 1:
        raise ValueError(f"schema {version!r} is not one that this version reads (1 to {SCHEMA})")
    row = {name: value for name, value in content.items() if name not in ("schema", "algorithm_expected", "load")}
    row["schema_version"] = SCHEMA
    if "made" in row:
        row["all_repeats"] = row.pop("made")
    plugin = row.pop("plugin", None)
    if isinstance(plugin, dict):
        row["code"] = _code_of(plugin)
    if isinstance(row.get("tuning"), dict):
        row["tuning"] = _migrated_tuning(row["tuning"])
    return row


def migrated_best(content: dict[str, Any]) -> dict[str, Any]:
    """Best settings of an earlier format in the fields of this one."""
    if content.get("format") != 1:
        return content
    best = {**content, "format": BEST_FORMAT, "study": _migrated_study(content.get("study"))}
    if isinstance(best.get("front"), list):
        best["front"] = [_migrated_point(point) for point in best["front"]]
    return best


def migrated_model(content: dict[str, Any]) -> dict[str, Any]:
    """A model of format 1 in the fields of format 2: it named a plugin, and nothing for the zoo's own variants."""
    model = {name: value for name, value in content.items() if name != "plugin"}
    plugin = content.get("plugin")
    return {**model, "format": MODEL_FORMAT, "code": _code_of(plugin) if isinstance(plugin, dict) else plugin}


def _code_of(plugin: dict[str, Any]) -> dict[str, Any]:
    kind = "file" if "file" in plugin else "package"
    return {"kind": kind, "name": plugin.get(kind), "sha256": plugin.get("sha256")}


def _migrated_point(point: Any) -> Any:
    if not isinstance(point, dict):
        return point
    values = {name: value for name, value in point.items() if name not in ("trial", "params")}
    return {"trial": point.get("trial"), "params": point.get("params"), "objectives": values}


def _migrated_tuning(tuning: dict[str, Any]) -> dict[str, Any]:
    """The cost stood beside the other fields, and the study had the code's hash alone."""
    cost = ("trials", "complete", "pruned", "failed", "seconds")
    others = {name: value for name, value in tuning.items() if name not in cost}
    return {**others, "cost": {name: tuning.get(name) for name in cost}, "study": _migrated_study(tuning.get("study"))}


def _migrated_study(study: Any) -> Any:
    if not isinstance(study, dict):
        return study
    source = study.get("source")
    code = None if source is None else {"kind": "file", "name": "", "sha256": source}
    return {**{name: value for name, value in study.items() if name != "source"}, "code": code}
