"""Options of the platform and their values, and few cases in which every two of them meet."""

from collections.abc import Sequence
from itertools import combinations
from math import inf

from sim.core.distributions import Exponential, LogNormal, Quantiles
from sim.platform.startup import PhasedStart
from sim.policies import (
    AdaptiveWindow,
    Clairvoyant,
    FixedWindow,
    FunctionIdleWindow,
    HybridHistogram,
    NoKeepAlive,
    PingWarmer,
    ProvisionedFloor,
    Scheduled,
    SkiRental,
    StemCells,
)

PHASES = PhasedStart({"create": Exponential(0.4), "runtime": LogNormal(0.3, 2.0)})
LOADING = PhasedStart({"create": Exponential(0.4), "handler": LogNormal(0.3, 2.0)})
READY_TO_LOAD = PhasedStart({"handler": 0.5})
OPTIONS = {
    "isolation": ("function", "app"),
    "instance_choice": (
        "most_recently_idle",
        "least_recently_idle",
        "random",
        "newest_created",
        "oldest_created",
        "least_connections",
        "power_of_two",
        "by_concurrency",
        "round_robin",
    ),
    "binding": ("early", "late", "race"),
    "concurrency": (None, 1, 3),
    "max_wait_s": (inf, 0.5, 2.0, 0.0),
    "max_instances_per_unit": (inf, 1, 2),
    "max_instances": (inf, 4),
    "queue_limit": (0, 2, inf),
    "max_lifetime_s": (inf, 0.5, 6.0, Quantiles([0.0, 1.0], [0.2, 9.0])),
    "start": (0.0, 1.0, PHASES, LOADING, READY_TO_LOAD),
    "start_failure_probability": (0.0, 0.3),
    "image_base_mb": (0.0, 100.0),
    "prewarm_lead_s": (0.0, 1.0),
    "routers": (1, 3),
    "route_cache_size": (inf, 1, 3),
    "route_delay_s": (0.0, 0.5, 4.0),
    "hop_s": (0.0, 0.25),
    "timeout_s": (inf, 1.0),
    "policy": (
        FixedWindow(4.0),
        NoKeepAlive(),
        Clairvoyant(4.0),
        FunctionIdleWindow(2.0, 5.0),
        HybridHistogram(bin_s=0.5, range_s=10.0, min_gaps=2),
        SkiRental(4.0, randomised=True),
        AdaptiveWindow(min_gaps=2, default_window_s=3.0, min_window_s=0.5, max_window_s=9.0),
        PingWarmer(period_s=5.0, window_s=4.0, ping_s=0.1, pings=2),
        ProvisionedFloor(1, window_s=2.0),
        Scheduled(steps=((0.0, 1), (10.0, 2), (20.0, 0)), period_s=30.0, window_s=2.0),
        StemCells(window_s=2.0, ttl_s=3.0, check_s=5.0),
    ),
}  # no policy that keeps for ever: with a cap in all, other units' calls would never get room
Case = dict[str, object]


def never_ends(case: Case) -> bool:
    """Whether calls may wait for ever: an instance that is held takes all the room, and no router remembers it."""
    held = isinstance(case["policy"], ProvisionedFloor | Scheduled)
    return (
        held and case["route_cache_size"] < inf and case["max_instances_per_unit"] < inf and case["max_wait_s"] == inf
    )


def pairwise(options: dict[str, Sequence[object]]) -> list[Case]:
    """A small list of cases in which every two values of different options meet, greedily."""
    names = sorted(options, key=lambda name: -len(options[name]))
    pairs = combinations(names, 2)
    missing = {((a, i), (b, j)) for a, b in pairs for i in range(len(options[a])) for j in range(len(options[b]))}
    design = []
    while missing:
        first = dict(min(missing, key=lambda pair: [(names.index(name), i) for name, i in pair]))
        chosen = dict(first)
        for name in names:
            if name not in chosen:
                gains = [
                    sum(((o, j), (name, i)) in missing or ((name, i), (o, j)) in missing for o, j in chosen.items())
                    for i in range(len(options[name]))
                ]
                chosen[name] = (gains.index(max(gains)) + (0 if max(gains) else len(design))) % len(gains)
        if never_ends({name: options[name][i] for name, i in chosen.items()}):
            chosen |= {"max_wait_s": 1} if "max_wait_s" not in first else {"route_cache_size": 0}
        ordered = [(name, chosen[name]) for name in names]
        missing -= set(combinations(ordered, 2))
        design.append({name: options[name][i] for name, i in ordered})
    return design


DESIGN = pairwise(OPTIONS)
