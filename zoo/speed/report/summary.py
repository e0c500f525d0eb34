"""The summary: speed rows as plain values for JSON."""

import json
from collections.abc import Sequence
from typing import Any

from zoo.report.board import Row
from zoo.speed.report.rows import labels
from zoo.speed.report.sheets import grouped


def speed_summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Sheets as plain values for JSON: each line's figures at each batch size, errors among them."""
    fields = (
        "batch_measured", "windows_per_second", "step_seconds", "is_settled", "latency_seconds", "part_seconds",
        "peak_memory_bytes", "parameter_count", "flops_per_window", "flops_per_second", "ceiling_share", "fallback",
        "graph_breaks", "search", "error",
    )  # fmt: skip
    names = labels(rows)
    return [
        {
            **json.loads(place),
            "phase": phase,
            "lookback": lookback,
            "cells": [
                {
                    "label": names[row["key"]],
                    **{name: row[name] for name in ("variant", "tags", "params", "mode", "dtype", "batch_size")},
                    **{name: row.get(name) for name in fields},
                }
                for row in group
            ],
        }
        for (place, phase, lookback), group in grouped(rows).items()
    ]
