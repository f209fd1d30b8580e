"""Traces from files: which reader fits, and where the embedded trace lies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_type_hints

from sim.core.build import check_type
from sim.core.errors import ConfigError, TraceError
from sim.workload.readers import (
    azure2019,
    azure2021,
    by_function,
    canonical,
    huawei2023,
    huawei2025,
    ibm2026,
    iluvatar,
    table,
)
from sim.workload.readers.csv_columns import read_header
from sim.workload.trace import Trace


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes:
        fits: whether a path looks like it, by names and first lines only.
        read: reads the path; its keyword parameters are the format's options.
    """

    fits: Callable[[Path], bool]
    read: Callable[..., Trace]

    @property
    def options(self) -> list[str]:
        """The keywords that `read` takes."""
        return list(inspect.signature(self.read).parameters)[1:]

    def check(self, name: str, options: Mapping[str, Any], path: str | Path) -> None:
        """Refuse options that `read` does not take, and values that are not of their type.

        Args:
            name: of the format, for the message.
            options: as they were given.
            path: for the message.

        Raises:
            TraceError: there are such.
        """
        unknown = [option for option in options if option not in self.options]
        if unknown:
            raise TraceError(f"format {name!r} has no options {unknown}; it has {self.options}", file=path)
        hints = get_type_hints(self.read)
        try:
            for option, value in options.items():
                check_type(value, hints[option], option)
        except ConfigError as error:
            raise TraceError(f"format {name!r}: {error}", file=path) from None


BY_FUNCTION: Final = "by_function"
"""The format whose traces can stay on disk (see `sim.open_trace`)."""
READERS: Final = {
    BY_FUNCTION: Reader(by_function.fits, by_function.read),  # before the canonical form, which has a trace.json too
    "canonical": Reader(canonical.fits, canonical.read),
    "azure2019": Reader(azure2019.fits, azure2019.read),
    "azure2021": Reader(azure2021.fits, azure2021.read),
    "iluvatar": Reader(iluvatar.fits, iluvatar.read),
    "huawei2023": Reader(huawei2023.fits, huawei2023.read),
    "huawei2025": Reader(huawei2025.fits, huawei2025.read),
    "ibm2026": Reader(ibm2026.fits, ibm2026.read),
    "csv": Reader(table.fits_csv, table.read_csv),
    "parquet": Reader(table.fits_parquet, table.read_parquet),
}
"""Formats by name, in the order in which they are tried. A new one is a module of `sim.workload.readers` and a line."""

_PACKAGE: Final = Path(__file__).resolve().parents[1]


def load_trace(path: str | Path, format: str | None = None, **options: Any) -> Trace:
    """Read a trace.

    Args:
        path: a file or folder; ``"default"`` or ``"traces/default"``, where there is no such path, is the embedded one.
        format: one of `READERS`; by default whichever fits.
        options: the format's own, such as ``arrivals="even"`` (see its module in `sim.workload.readers`).

    Raises:
        TraceError: nothing is there, no format fits, an option that the format has not, or anything wrong inside.
    """
    place, name = find_trace(path, format)
    READERS[name].check(name, options, path)
    try:
        return READERS[name].read(place, **options)
    except OSError as error:
        raise TraceError(f"cannot be read: {error}", file=path) from None


def find_trace(path: str | Path, format: str | None = None) -> tuple[Path, str]:
    """Where a trace is that `load_trace` is asked for, and its format.

    Raises:
        TraceError: nothing is there, or no format fits.
    """
    place = _find(Path(path))
    name = format if format is not None else _sniff(place)
    if name not in READERS:
        raise TraceError(f"there is no format {name!r}; there are {list(READERS)}")
    return place, name


def _find(path: Path) -> Path:
    if path.exists():
        return path
    if path.as_posix() in ("default", "traces/default"):
        for root in (_PACKAGE, _PACKAGE.parent):  # an installed wheel, a checkout
            embedded = root / "traces" / "default"
            if embedded.is_dir():
                return embedded
    raise TraceError("there is no such file or folder", file=path)


def _sniff(path: Path) -> str:
    for name, reader in READERS.items():
        if reader.fits(path):
            return name
    if path.is_file() and not table.is_parquet(path):
        read_header(path, ())  # says so, where it is damaged, an archive, or no text at all
    raise TraceError(f"looks like none of the formats {list(READERS)}; if it is one, say format=", file=path)
