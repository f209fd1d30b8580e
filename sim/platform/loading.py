"""Loading: what the first call on an instance does before the user's code runs, as part of its own execution."""

from __future__ import annotations

from sim.platform.ledger import Ledger


class Loading:
    """When calls end that start before the handler of their instance is loaded."""

    def __init__(self, ledger: Ledger, timeout_s: list[float]) -> None:
        """`timeout_s` has the time-out of each function, which cuts load and execution together."""
        self._ledger, self._timeout_s = ledger, timeout_s

    def end_s(self, function: int, row: int, now_s: float, load_s: float, loaded_s: float, service_s: float) -> float:
        """The end of call `row`, which starts now and waits `load_s` for the load that ends at `loaded_s`.

        A service time that the time-out has cut already needs no thought: load or none, it is cut at the same instant.
        """
        end_s = loaded_s + service_s
        latest_s = now_s + self._timeout_s[function]
        if end_s > latest_s:
            self._ledger.loads(row, self._timeout_s[function], cut=True)
            return latest_s
        self._ledger.loads(row, load_s + service_s, cut=False)
        return end_s
