"""The configuration of a value: what `sim.core.build` makes the value of again."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from sim.core.build import TARGET
from sim.core.errors import ConfigError


def public_name(cls: type) -> str:
    """The shortest dotted name of a class: that of the outermost package that offers it, else of its own module."""
    parts = cls.__module__.split(".")
    for package in (".".join(parts[:length]) for length in range(1, len(parts))):
        if getattr(sys.modules.get(package), cls.__qualname__, None) is cls:
            return f"{package}.{cls.__qualname__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def describe(value: Any) -> Any:
    """A value as plain mappings, lists and scalars; a dataclass as its `_target_` and fields.

    ``build(describe(value), ...)`` is equal to the value, as long as its class keeps its name and fields. The result is
    ready for JSON and YAML, and shares nothing with the value.

    Args:
        value: a dataclass, with dataclasses, mappings, lists, tuples and scalars inside.

    Raises:
        ConfigError: something inside is none of these, or a number that JSON has not.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {
            TARGET: public_name(type(value)),
            **{field.name: describe(getattr(value, field.name)) for field in fields(value) if field.init},
        }
    if isinstance(value, Mapping):
        return {str(key): describe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item) for item in value]
    if value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ConfigError(f"cannot be written as a configuration: {value!r}; a class of your own must be a dataclass")
