"""The comparison table: its text to the letter, its units, and labels that are not what they seem."""

import numpy as np
import pandas as pd
import pytest
from comparisons import NOTES, comparison, day
from rich.console import Console

from sim.report.metrics import shown_columns
from sim.report.table import comparison_markdown, comparison_table, comparison_text

PLAIN = """\
458,123 calls of 400 functions in 260 apps over 24 h (traces/default)
                 cold  cold in  latency  latency      wasted  wasted     user  provider
               starts  P75 app      P50      P99      memory  10 min  USD per   USD per
policy              %        %       ms       ms        GB-s     = 1  M calls   M calls
---------------------------------------------------------------------------------------
no_keep_alive   92.31   100.00    1,412    4,100           0    0.00     3.20     0.045
fixed_1m        21.04    90.00       85    2,900      91,234    0.21     3.02     0.112
fixed_2m        13.23    77.00       81    2,600     150,233    0.34     2.99     0.158
fixed_10m        4.21    50.30       78    1,900     440,123    1.00     2.96     0.384
fixed_60m        1.32    25.00       78    1,400   1,611,234    3.66     2.95     1.302
keep_forever     0.21     3.12       78    1,310  12,345,678   28.05     2.95     9.730
clairvoyant      4.21    50.30       78    1,900      98,765    0.22     2.96     0.118
unlimited capacity, starts drawn phase by phase
wasted memory is normalised to that of a fixed window of 10 minutes
nothing is random here: the numbers are exact
"""

WITH_INTERVALS = """\
                cold cold in latency latency  wasted wasted    user provider
              starts P75 app     P50     P99  memory 10 min USD per  USD per
policy             %       %      ms      ms    GB-s    = 1 M calls  M calls
----------------------------------------------------------------------------
no_keep_alive  92.31  100.00   1,412   4,100       0   0.00    3.20    0.045
               ±0.92   ±1.00     ±14     ±41      ±0     ±0   ±0.03  ±<0.001
fixed_10m       4.21   50.30      78   1,900 440,123   1.00    2.96    0.384
               ±0.04   ±0.50      ±1     ±19  ±4,401  ±0.01   ±0.03   ±0.004
"""

MARKDOWN = """\
| policy | cold starts (%) | cold starts of the P75 app (%) | latency P50 (ms) | latency P99 (ms) \
| wasted memory-time (GB-s) | wasted, 10 min = 1 | user, USD per M calls | provider, USD per M calls |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| `fixed_1m` | 21.04 ±0.21 | 90.00 ±0.90 | 85 ±1 | 2,900 ±29 | 91,234 ±912 | 0.21 ±<0.01 | 3.02 ±0.03 | 0.11 ±<0.01 |
| `fixed_10m` | 4.21 ±0.04 | 50.30 ±0.50 | 78 ±1 | 1,900 ±19 | 440,123 ±4,401 | 1.00 ±0.01 | 2.96 ±0.03 | 0.38 ±<0.01 |
"""


def cells(key: str, values: list[float], halves: list[float] | None = None) -> tuple[str, tuple[str, ...], list[str]]:
    """Unit, values and half-widths as a column of these is shown."""
    frame = comparison([str(v) for v in values], np.zeros((len(values), 8)))
    frame[key] = values
    if halves:
        frame[f"{key}_ci95"] = halves
    [column] = [c for c in shown_columns(frame) if c.metric.key == key]
    return column.unit.name, column.cells, list(column.halves)


def test_plain_text_to_the_letter() -> None:
    notes = NOTES | {"intervals": "nothing is random here: the numbers are exact"}
    assert comparison_text(day(), notes) == PLAIN


def test_half_widths_stand_below_their_values() -> None:
    frame = day(intervals=True).iloc[[0, 3]]
    assert comparison_text(frame, {}, width=80) == WITH_INTERVALS


def test_markdown_to_the_letter() -> None:
    assert comparison_markdown(day(intervals=True).iloc[[1, 3]]) == MARKDOWN


@pytest.mark.parametrize("width", [120, 100, 80, 60, 45])
def test_no_line_is_wider_than_asked_and_no_number_is_cut(width: int) -> None:
    text = comparison_text(day(intervals=True), NOTES, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_a_narrow_table_says_what_it_leaves_out() -> None:
    assert "Left out" not in comparison_text(day(), NOTES, width=80)
    assert "Left out for lack of room: wasted memory-time (GB-s)" in comparison_text(day(), NOTES, width=75)


def test_a_long_label_is_folded_not_cut() -> None:
    frame = day()
    frame.loc[0, "policy"] = "fixed_10m (window_s=300)"
    text = comparison_text(frame, NOTES, width=80)
    assert "fixed_10m " in text
    assert "(window_s=300)" in text


@pytest.mark.parametrize("width", [80, 100])
def test_plain_text_has_no_colours_even_when_they_are_forced(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    assert "\x1b" not in comparison_text(day(intervals=True), NOTES, width=width)


def test_the_table_prints_on_a_terminal() -> None:
    console = Console(width=100, force_terminal=True, color_system="truecolor")
    with console.capture() as captured:
        console.print(comparison_table(day(intervals=True), NOTES))
    assert "\x1b[2m±0.92" in captured.get()


def test_markup_in_labels_and_notes_is_text() -> None:
    frame = day()
    frame.loc[0, "policy"] = "[red]x[/red]"
    text = comparison_text(frame, {"workload": "calls of [bold]this[/bold] [/nonsense]"})
    assert "[red]x[/red]" in text
    assert "[bold]this[/bold] [/nonsense]" in text


def test_control_characters_in_labels_do_not_reach_the_terminal() -> None:
    frame = day()
    frame.loc[0, "policy"] = "a\x1b[31m\nb"
    assert "a\ufffd[31m\ufffdb" in comparison_text(frame, {})


def test_markdown_in_labels_is_text() -> None:
    frame = day()
    frame.loc[0, "policy"] = "a|b `c` <i>"
    assert "\n| `` a\\|b `c` <i> `` | 92.31 |" in comparison_markdown(frame)


def test_missing_values_are_dashes_and_missing_columns_too() -> None:
    frame = day().drop(columns="wasted_normalised")
    frame.loc[1, "cold_start_rate"] = np.nan
    lines = comparison_text(frame, {}).splitlines()
    assert [line.split()[1] for line in lines[4:6]] == ["92.31", "–"]
    assert all(line.split()[6] == "–" for line in lines[4:])


def test_an_empty_comparison_has_a_head() -> None:
    assert "policy" in comparison_text(day().iloc[:0], {})


def test_latency_is_in_ms_until_it_needs_seconds() -> None:
    assert cells("latency_p99_s", [0.0123, 9.9]) == ("ms", ("12", "9,900"), ["", ""])
    assert cells("latency_p99_s", [0.85, 12.3]) == ("s", ("0.85", "12.30"), ["", ""])


def test_latencies_stand_side_by_side_in_one_unit() -> None:
    frame = pd.DataFrame({"policy": ["a", "b"], "latency_p50_s": [0.26, 0.3], "latency_p99_s": [0.9, 30.0]})
    p50, p99 = (column for column in shown_columns(frame) if column.metric.key.startswith("latency"))
    assert (p50.unit.name, p50.cells) == ("s", ("0.26", "0.30"))
    assert (p99.unit.name, p99.cells) == ("s", ("0.90", "30.00"))


def test_waste_is_in_millions_when_it_is_huge() -> None:
    assert cells("wasted_gb_s", [5.0, 99_999_999.0])[:2] == ("GB-s", ("5", "99,999,999"))
    assert cells("wasted_gb_s", [5e6, 1e8])[:2] == ("M GB-s", ("5.0", "100.0"))


def test_the_smallest_value_keeps_two_digits_where_there_is_room() -> None:
    assert cells("cold_start_rate", [0.00134, 0.5])[1] == ("0.13", "50.00")
    assert cells("cold_start_rate", [0.000134, 1.0])[1] == ("0.013", "100.000")
    assert cells("cold_start_rate", [0.0000001, 1.0, 0.0])[1] == ("<0.001", "100.000", "0.000")


def test_a_half_width_that_rounds_to_nothing_is_not_called_zero() -> None:
    assert cells("cold_start_rate", [0.5, 0.5, 0.5], [0.0, 0.00001, np.nan])[2] == ["±0", "±<0.01", ""]


def test_infinity_is_shown() -> None:
    assert cells("provider_cost_per_million_usd", [1.0, np.inf])[1] == ("1.00", "∞")
