"""What the commands of traces have in common: how they read their words, write, and speak."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

from rich.console import Console

from sim.core.errors import ConfigError

Written = TypeVar("Written")


class Parser(argparse.ArgumentParser):
    """Says what is wrong as all other commands do."""

    def __init__(self, command: str) -> None:
        super().__init__(prog=f"traces {command}", add_help=False, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Refuse the words.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"{self.prog}: {message}; see keepwarm traces --help")


def trusting(command: str) -> Parser:
    """A parser of a command that builds what configurations name."""
    parser = Parser(command)
    parser.add_argument("--trust", action="append", default=[])
    return parser


def written(write: Callable[[], Written], where: Path) -> Written:
    """What a function returns that writes.

    Raises:
        ConfigError: nothing can be written there.
    """
    try:
        return write()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be written: {error}") from None


def say(console: Console, text: str) -> None:
    """Print text as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
