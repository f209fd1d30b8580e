"""Runtimes and triggers of region 2's functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sim.workload.readers.cells import MAYBE_TEXT, TEXT
from sim.workload.readers.csv_columns import read_blocks
from sim.workload.readers.faults import Faults

METADATA: Final = "df_funcID_runtime_triggerType.csv"

_NAME, _RUNTIME, _TRIGGER = "funcID", "runtime", "triggerType-invocationType"


@dataclass(frozen=True)
class Metadata:
    """What is known of functions, by funcName---userID---poolName, in the publishers' words."""

    runtime: Mapping[str, str]
    trigger: Mapping[str, str]


def read_metadata(file: Path, faults: Faults) -> Metadata:
    """Read the file; what is empty in it stays unknown.

    Raises:
        TraceError: a bad row, or a function that is there twice.
    """
    runtime: dict[str, str] = {}
    trigger: dict[str, str] = {}
    seen: set[str] = set()
    for rows in read_blocks(file, {_NAME: TEXT, _RUNTIME: MAYBE_TEXT, _TRIGGER: MAYBE_TEXT}, faults):
        block = rows.without_repeated((_NAME,), seen)
        for name, language, by in zip(block.text(_NAME), block.text(_RUNTIME), block.text(_TRIGGER), strict=True):
            runtime |= {name: language} if language else {}
            trigger |= {name: by} if by else {}
    return Metadata(runtime, trigger)
