"""Traces from files: which reader fits, and where the embedded trace lies."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sim.core.errors import TraceError
from sim.workload.readers import azure2019, canonical
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


READERS: Final = {
    "canonical": Reader(canonical.fits, canonical.read),
    "azure2019": Reader(azure2019.fits, azure2019.read),
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
    place = _find(Path(path))
    name = format if format is not None else _sniff(place)
    if name not in READERS:
        raise TraceError(f"there is no format {name!r}; there are {list(READERS)}")
    unknown = [option for option in options if option not in READERS[name].options]
    if unknown:
        there_are = READERS[name].options or "none"
        raise TraceError(f"format {name!r} has no options {unknown}; it has {there_are}", file=path)
    try:
        return READERS[name].read(place, **options)
    except OSError as error:
        raise TraceError(f"cannot be read: {error}", file=path) from None


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
    raise TraceError(f"looks like none of the formats {list(READERS)}; if it is one, say format=", file=path)
