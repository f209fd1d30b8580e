"""The LaTeX table: to the letter, letter by letter whatever the names, and through LaTeX where there is one."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from comparisons import NOTES, day
from hypothesis import given
from hypothesis import strategies as st
from outcomes import NAMES, several, untrusted

from sim.report.latex import ESCAPES, NEEDS, comparison_latex, latex_text
from sim.report.report import latex

HALVES = r"""\begin{table*}
  \centering\small\setlength{\tabcolsep}{4pt}
  \caption{458,123 calls of 400\_functions.}\label{tab:x}
  \begin{tabular}{lr@{}lr@{}lr@{}lr@{}lr@{}lr@{}lr@{}lr@{}l}
    \toprule
"""
ROW = r"    \texttt{fixed\_1m} & 21.04 & {\scriptsize\,\ensuremath{\pm}0.21} & 90.00 & {\scriptsize\,"
HOSTILE = st.text(st.sampled_from("\\{}$&#%_^~<>|\"'`-±–−∞×aé[]*?!\n\x1b"), max_size=12)


def test_a_table_begins_and_a_row_reads_to_the_letter() -> None:
    text = comparison_latex(day(intervals=True), {"workload": "458,123 calls of 400_functions."}, label="tab:x")
    assert text.startswith(HALVES)
    assert ROW in text
    assert r"    policy & \multicolumn{2}{r}{\%} & " in text


def test_a_column_without_intervals_is_one() -> None:
    text = comparison_latex(day(), {})
    assert r"\begin{tabular}{lrrrrrrrr}" in text
    assert r"    \texttt{fixed\_1m} & 21.04 & 90.00 & 85 & 2,900 & 91,234 & 0.21 & 3.02 & 0.112 \\" in text


def test_every_row_has_as_many_cells() -> None:
    frame = day(intervals=True)
    frame.loc[1, "cold_start_rate_ci95"] = np.nan
    rows = [line for line in comparison_latex(frame, NOTES).splitlines() if r"\texttt" in line]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {16}


@given(HOSTILE)
def test_escaped_text_is_commands_and_letters_and_nothing_special(text: str) -> None:
    left = latex_text(text)
    assert "--" not in left
    for command in sorted(ESCAPES.values(), key=len, reverse=True):
        left = left.replace(command, "")
    assert not set(left) & set("\\{}$&#%_^~<>|\"'`\n\x1b")


def test_several_variants_are_floats_with_labels_of_their_own() -> None:
    text = latex(several())
    assert text.startswith(NEEDS)
    assert re.findall(r"\\label{(.*?)}", text) == ["tab:comparison-1", "tab:comparison-2"]
    assert r"\caption{Platform=fast, seed=1. 458,123 calls" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
def test_a_document_with_the_table_compiles(tmp_path: Path) -> None:
    frame = untrusted().variants[0].frame
    frame = frame[[name.isascii() or "\u202e" in name for name in NAMES]]
    body = comparison_latex(frame, NOTES) + comparison_latex(day().iloc[:0], {})
    document = f"\\documentclass{{article}}\n\\usepackage{{booktabs}}\n\\begin{{document}}\n{body}\\end{{document}}\n"
    (tmp_path / "t.tex").write_text(document, "utf-8")
    command = ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")[-2000:]
