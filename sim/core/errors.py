"""Errors for people: what is wrong, where, and what to do about it."""

from __future__ import annotations


class KeepwarmError(Exception):
    """Anything the user can mend: one message, shown without a traceback by the command line."""


class ConfigError(KeepwarmError):
    """A configuration names something that does not exist, is of the wrong type or makes no sense."""


class TraceError(KeepwarmError):
    """A trace cannot be read, or what it says is impossible."""

    def __init__(self, message: str, *, file: object = None, row: int | None = None, column: object = None) -> None:
        where = [str(file)] if file is not None else []
        if row is not None:
            where.append(f"row {row}")
        if column is not None:
            where.append(f"column {column!r}")
        super().__init__(f"{', '.join(where)}: {message}" if where else message)
        self.file, self.row, self.column = file, row, column


class PolicyError(KeepwarmError):
    """A policy returned a decision that no platform can apply."""


class IllegalTransitionError(RuntimeError):
    """An instance was asked for a state that its present state does not lead to: a bug, never the user's."""
