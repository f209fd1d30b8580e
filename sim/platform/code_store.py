"""The code store: zip packages and images, fetched by the instances that start."""

from __future__ import annotations


class CodeStore:
    """Packages by link.

    There are no caches: every start fetches the whole package. How long that takes is a phase of the start.
    """

    def __init__(self) -> None:
        self._size_mb: list[float] = []
        self.kind: list[str] = []

    def put(self, kind: str, size_mb: float) -> int:
        """Store a ``zip`` or an ``image`` of `size_mb` (zipped, or compressed layers); returns the link to it."""
        self.kind.append(kind)
        self._size_mb.append(size_mb)
        return len(self._size_mb) - 1

    def fetch(self, link: int) -> float:
        """Hand out a package; returns the MB that had to be moved."""
        return self._size_mb[link]
