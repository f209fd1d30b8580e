"""How every command speaks of what went wrong, and of what a reader of its results need not see."""

from __future__ import annotations

from rich.console import Console

from sim.core.errors import KeepwarmError


def say(error: KeepwarmError) -> int:
    """Show an error; returns the exit status that goes with it."""
    note(f"error: {error}")
    return 2


def note(text: str) -> None:
    """A line on the error stream, as it is."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)
