"""Random numbers in kernels: those of `sim.core.random` and `sim.core.distributions`, to the bit."""

from __future__ import annotations

import numpy as np

from sim.core.distributions import CELLS
from sim.engine.compiled.jit import part
from sim.engine.compiled.layout import Array, Draws, Terms
from sim.platform.startup.parts import NO_TABLE

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
TO_UNIT = 2.0**-53


@part
def uniform(key: int, index: int) -> float:
    """See `sim.core.random.uniform`."""
    mixed = np.uint64(key) + (np.uint64(index) + np.uint64(1)) * GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * MIX_2
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) * TO_UNIT


@part
def look_up(table: Array, u: float) -> float:
    """See `sim.core.distributions.look_up`."""
    position = u * CELLS
    cell = int(position)
    low = table[cell]
    return float(low + (table[cell + 1] - low) * (position - cell))


@part
def phase_s(draws: Draws, key: Array, function: int, phase: int, k: int) -> float:
    """See `StartDraws.draw`: one phase of start `k` of a function, by the streams of `key`."""
    table = draws.table[function, phase]
    if table == NO_TABLE:
        return float(draws.offset[function, phase])
    value = look_up(draws.tables[table], uniform(key[function, phase], k))
    return float(draws.offset[function, phase] + draws.scale[function, phase] * value)


@part
def start_up_s(draws: Draws, key: Array, terms: Terms, function: int, k: int) -> tuple[float, float]:
    """Seconds until the instance is ready, and of the load of its handler."""
    last = draws.offset.shape[1] - (1 if terms.late else 0)
    total_s = 0.0
    for phase in range(last):
        total_s += phase_s(draws, key, function, phase, k)
    return total_s, phase_s(draws, key, function, last, k) if terms.late else 0.0


@part
def life_s(draws: Draws, unit: int, k: int) -> float:
    """See `Lifetimes.draw`."""
    if draws.life.size == 1:
        return float(draws.life[0])
    return look_up(draws.life, uniform(draws.life_key[unit], k))
