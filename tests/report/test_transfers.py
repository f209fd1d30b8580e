"""How far a download is: plain lines for a log, a bar on a terminal, and names that cannot draw."""

import io
import re

from rich.console import Console

from sim.report.transfers import TransferBar, TransferLines, transfers


def log() -> Console:
    return Console(file=io.StringIO(), width=100)


def said(console: Console) -> list[str]:
    return re.sub(r"[\d,]+ s left|[\d.,]+ MB/s", "…", console.file.getvalue()).splitlines()  # type: ignore[attr-defined]


def test_a_log_has_a_line_a_tenth() -> None:
    console = log()
    with transfers(console) as watch:
        assert isinstance(watch, TransferLines)
        watch.begin("a.zip", 0, 20_000_000)
        for done in range(0, 20_000_001, 100_000):
            watch.progress(done)
    lines = said(console)
    assert lines[0] == "a.zip: 20.0 MB"
    assert lines[1:3] == ["  2.0 MB (10%), …, …", "  4.0 MB (20%), …, …"]
    assert lines[-1] == "  20.0 MB (100%), …, …"
    assert len(lines) == 11


def test_what_is_here_already_is_no_rate() -> None:
    console = log()
    watch = TransferLines(console)
    watch.begin("a.zip", 15_000_000, 20_000_000)
    watch.progress(20_000_000)
    assert said(console) == ["a.zip: 20.0 MB, of which 15.0 MB are here already", "  20.0 MB (100%), …, …"]


def test_nobody_may_know_how_much_it_is() -> None:
    console = log()
    watch = TransferLines(console)
    watch.begin("a.zip", 0, None)
    for done in (50_000_000, 100_000_000, 199_999_999):
        watch.progress(done)
    assert said(console) == ["a.zip: nobody says how much", "  100.0 MB, …"]


def test_nothing_at_all_is_a_file_too() -> None:
    console = log()
    watch = TransferLines(console)
    watch.begin("a.csv", 0, 0)
    watch.progress(0)
    assert said(console)[0] == "a.csv: 0.0 MB"


def test_a_terminal_has_a_bar_with_rate_and_time_left() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, legacy_windows=False)
    with transfers(console) as watch:
        assert isinstance(watch, TransferBar)
        watch.begin("a[red]\x1b[2J.zip", 0, 2_000_000)
        watch.progress(1_000_000)
        watch.say("something [happened]\x1b[2J")
        watch.begin("b.zip", 1_000_000, 2_000_000)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "a[red]\N{REPLACEMENT CHARACTER}[2J.zip" in shown
    assert "something [happened]\N{REPLACEMENT CHARACTER}[2J" in shown
    assert re.search(r"[\d.]+/2.0 MB", shown)
    assert "\x1b[2J" not in shown
