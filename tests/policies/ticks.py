"""What a scaler is shown, made by hand, and what it answers."""

from collections.abc import Iterable, Sequence

from sim.policies.scaling.role import Load, Scaler


def load(
    now_s: float,
    concurrency: Sequence[float] = (),
    *,
    ready: int = 1,
    starting: int = 0,
    in_flight: int = 0,
    waiting: int = 0,
    arrivals: Sequence[int] | None = None,
) -> Load:
    """The load at a tick, of the whole seconds up to it; without arrivals where none are given."""
    came = [0] * len(concurrency) if arrivals is None else arrivals
    levels = concurrency or [0.0] * len(came)
    return Load(now_s, ready, starting, in_flight, waiting, int(now_s) - len(came), levels, came)


def followed(scaler: Scaler, tick_s: int, loads: Iterable[float], *, starts_at: int = 0) -> list[int]:
    """What is wanted at tick after tick where each is all ready at the next one, and each load lasts a tick."""
    made, ready = [], 1
    for k, level in enumerate(loads, 1):
        made.append(scaler.wanted(load(starts_at + k * tick_s, [level] * tick_s, ready=ready, in_flight=int(level))))
        ready = made[-1]
    return made
