"""LaTeX: boards and speed sheets as tables for the booktabs package, the same figures as in report.md."""

import re
from collections.abc import Sequence

from zoo.report.board import Board, Row
from zoo.report.markdown import legend
from zoo.report.tables import TextTable, accuracy_table, target_table, tuning_table
from zoo.report.verdict import verdict
from zoo.speed.report.sheets import fullest, sheets
from zoo.speed.report.tables import THROUGHPUT_LEGEND, throughput_table

SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$", "±": r"$\pm$",
    "†": r"\dag{}", "\n": " ",
}  # fmt: skip


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


def latex_table(table: TextTable, caption: str) -> str:
    """One table: the first column to the left, figures to the right, the best bold, (b) for baselines."""
    lines = []
    for cells, is_baseline in zip(table.rows, table.baseline, strict=True):
        shown = [rf"\textbf{{{escaped(cell.text)}}}" if cell.is_best else escaped(cell.text) for cell in cells]
        shown[0] += " (b)" if is_baseline else ""
        lines.append("  " + " & ".join(shown) + r" \\")
    header = "  " + " & ".join(map(escaped, table.header)) + r" \\"
    columns = "l" + "r" * (len(table.header) - 1)
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"  \toprule",
            header,
            r"  \midrule",
            *lines,
            r"  \bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escaped(text: str) -> str:
    """Text as LaTeX prints it; the hyphen before a number becomes a minus."""
    safe = "".join(SIGNS.get(sign, sign) for sign in text)
    return re.sub(r"(?<![\w}])-(?=\d)", "$-$", safe)
