"""What a run is made with besides the trace and the policy."""

from __future__ import annotations

from dataclasses import dataclass

from sim.core.errors import ConfigError
from sim.engine.engines import require_threads
from sim.platform.platform import Platform
from sim.results.pricing import PriceBook, ProviderPrice


@dataclass(frozen=True)
class Setting:
    """Everything of a run but the trace and the policy.

    Attributes:
        record: whether calls and instances are looked at one by one when a run is over; if not, it has all numbers, but
            nothing that is drawn over time or of the phases of starts.
    """

    platform: Platform
    price: PriceBook
    provider: ProviderPrice
    engine: str = "simpy"
    seed: int = 0
    warm_up_s: float = 0.0
    horizon_s: float | None = None
    threads: int = 1
    record: bool = True

    def __post_init__(self) -> None:
        for name, kind in (("platform", Platform), ("price", PriceBook), ("provider", ProviderPrice)):
            require_instance(name, getattr(self, name), kind)
        require_threads(self.engine, self.threads)


def require_instance(name: str, value: object, kind: type) -> None:
    """Refuse what is no `kind`: a class instead of an instance, the name of a preset."""
    if not isinstance(value, kind):
        hint = " (an instance, not the class)" if isinstance(value, type) else ""
        raise ConfigError(f"{name} must be a {kind.__name__}{hint}, not {value!r}")
