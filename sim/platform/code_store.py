"""The code store: zip packages and images, fetched by every instance that starts."""

from __future__ import annotations


class CodeStore:
    """Packages by link, and how much of them has been fetched.

    There are no caches: every start fetches the whole package. How long that takes is a phase of the start.

    Attributes:
        fetched_mb: MB handed out so far.
    """

    def __init__(self) -> None:
        self._size_mb: list[float] = []
        self.kind: list[str] = []
        self.fetched_mb = 0.0

    def put(self, kind: str, size_mb: float) -> int:
        """Store a ``zip`` or an ``image`` of `size_mb` (zipped, or compressed layers); returns the link to it."""
        self.kind.append(kind)
        self._size_mb.append(size_mb)
        return len(self._size_mb) - 1

    def fetch(self, link: int) -> float:
        """Hand out a package; returns its size in MB."""
        size_mb = self._size_mb[link]
        self.fetched_mb += size_mb
        return size_mb
