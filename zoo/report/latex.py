"""LaTeX: boards and speed sheets as tables for the booktabs package, the same figures as in report.md."""

from collections.abc import Sequence

from zoo.report.board import Board, Row
from zoo.report.markdown import legend
from zoo.report.tables import accuracy_table, target_table, tuning_table
from zoo.report.text_table import latex_table
from zoo.report.verdict import verdict
from zoo.speed.report.sheets import fullest, sheets
from zoo.speed.report.tables import THROUGHPUT_LEGEND, throughput_table


def latex(found: Sequence[Board], timed: Sequence[Row] = ()) -> str:
    """Every table of the boards, and throughput of speed rows; for a document that loads booktabs."""
    parts = []
    for board in found:
        problem = board.problem
        ahead = f"{problem['horizon']} step{'s' * (problem['horizon'] != 1)} ahead from {problem['lookback']}"
        what = f"{', '.join(problem['targets'])} of {board.data['source']}, {ahead}"
        parts.append(latex_table(accuracy_table(board), f"{what}. {verdict(board)[0]} {legend(board)}"))
        for table, told in ((tuning_table(board), "what tuning gained"), (target_table(board), "each target")):
            if table is not None:
                parts.append(latex_table(table, f"{what}: {told}."))
    for sheet in fullest(sheets(timed)) if timed else ():
        parts.append(latex_table(throughput_table(sheet), f"{sheet.title}. {THROUGHPUT_LEGEND}"))
    return "\n".join(parts)
