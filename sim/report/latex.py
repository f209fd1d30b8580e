"""The comparison table in LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from sim.report.metrics import ShownColumn, printable, shown_columns

ESCAPES: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "\0": "{}",
    "±": r"\ensuremath{\pm}",
    "–": r"\textendash{}",
    "−": r"\ensuremath{-}",
    "∞": r"\ensuremath{\infty}",
    "×": r"\ensuremath{\times}",
    "\N{REPLACEMENT CHARACTER}": "?",
}
"""What LaTeX would take for a command or a ligature, and what older ones have no sign for."""

NEEDS: Final = "% Needs booktabs. Names in other than Latin letters need XeLaTeX or LuaLaTeX and a font of theirs.\n"


def latex_text(text: str) -> str:
    """Any text as LaTeX that sets it letter by letter; what cannot be printed is a question mark."""
    separate = re.sub("-(?=-)", "-\0", printable(text))  # two are a dash, three a longer one
    return "".join(ESCAPES.get(letter, letter) for letter in separate)


def comparison_latex(frame: pd.DataFrame, notes: Mapping[str, str], *, label: str = "tab:comparison") -> str:
    """The comparison as a floating table, a row a policy, half-widths of intervals beside their values.

    Args:
        frame: the comparison.
        notes: what is said in the caption, in order.
        label: by which a text refers to it; of letters, digits, hyphens and colons.
    """
    columns = list(shown_columns(frame))
    said = ". ".join(note[:1].upper() + note[1:].rstrip(".") for note in notes.values() if note)
    body = "\n".join(
        _row([rf"\texttt{{{latex_text(name)}}}", *(_cell(column, i) for column in columns)])
        for i, name in enumerate(frame["policy"].astype(str))
    )
    lines = [
        r"\begin{table*}",
        r"  \centering\small\setlength{\tabcolsep}{4pt}",
        rf"  \caption{{{latex_text(said)}{'.' * bool(said)}}}\label{{{label}}}",
        rf"  \begin{{tabular}}{{l{''.join('r@{}l' if _has_halves(column) else 'r' for column in columns)}}}",
        r"    \toprule",
        *_heads(columns),
        r"    \midrule",
        *filter(None, [body]),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _heads(columns: Sequence[ShownColumn]) -> list[str]:
    """The heads in lines, the last of each at the bottom."""
    height = max(len(column.head) for column in columns)
    stacks = [["policy"], *(list(column.head) for column in columns)]
    spans = [1, *(2 if _has_halves(column) else 1 for column in columns)]
    padded = [[""] * (height - len(stack)) + stack for stack in stacks]
    return [
        _row([
            latex_text(stack[line]) if place == 0 else rf"\multicolumn{{{span}}}{{r}}{{{latex_text(stack[line])}}}"
            for place, (stack, span) in enumerate(zip(padded, spans, strict=True))
        ])
        for line in range(height)
    ]  # fmt: skip


def _cell(column: ShownColumn, row: int) -> str:
    value = latex_text(column.cells[row])
    if not _has_halves(column):
        return value
    half = latex_text(column.halves[row])
    return rf"{value} & {{\scriptsize\,{half}}}" if half else f"{value} &"


def _has_halves(column: ShownColumn) -> bool:
    return any(column.halves)


def _row(cells: Sequence[str]) -> str:
    return f"    {' & '.join(cells)} \\\\"
