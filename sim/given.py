"""What the public face makes of its arguments: presets where nothing is said."""

from __future__ import annotations

from functools import cache
from math import inf

from sim.config import load_platform, load_pricing, load_provider
from sim.core import checks
from sim.experiment.setting import Setting
from sim.platform.platform import Platform
from sim.results.pricing import PriceBook, ProviderPrice

# Composing a preset takes as long as simulating 50,000 calls. What is kept are immutable values, each under the one key
# that there is (no argument), equal to those that composing again would give: no behaviour depends on it.
default_platform = cache(load_platform)
default_price = cache(load_pricing)
default_provider = cache(load_provider)


def setting_of(
    platform: Platform | None,
    price: PriceBook | None,
    provider: ProviderPrice | None,
    engine: str,
    threads: int,
    seed: int,
    warm_up_s: float,
    horizon_s: float | None,
    *,
    record: bool = True,
) -> Setting:
    """The setting of what was given."""
    return Setting(
        platform=platform if platform is not None else default_platform(),
        price=price if price is not None else default_price(),
        provider=provider if provider is not None else default_provider(),
        engine=engine,
        threads=whole("threads", threads, low=1),
        seed=whole("seed", seed),
        warm_up_s=warm_up_s,
        horizon_s=horizon_s,
        record=record,
    )


def whole(name: str, value: int, *, low: float = -inf) -> int:
    """A Python int, of numpy's integers too, whose arithmetic has other limits."""
    checks.whole(name, value, low=low)
    return int(value)
