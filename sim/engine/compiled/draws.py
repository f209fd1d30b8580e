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

LIFE, CHOICE, RULE = -3, -2, -1
"""Places of streams in `Draws.key`, from its end."""


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
def phase_s(draws: Draws, function: int, phase: int, k: int, asked: bool) -> float:
    """See `StartDraws.draw`: one phase of start `k` of a function, one that a call asked for or another."""
    table, phases = draws.table[function, phase], draws.table.shape[1]
    if table == NO_TABLE:
        return float(draws.affine[function, phase])
    value = look_up(draws.tables[table], uniform(draws.key[function, phase + (0 if asked else phases)], k))
    return float(draws.affine[function, phase] + draws.affine[function, phases + phase] * value)


@part
def start_up_s(draws: Draws, terms: Terms, function: int, k: int, asked: bool) -> tuple[float, float]:
    """Seconds until the instance is ready, and of the load of its handler."""
    last = draws.table.shape[1] - (1 if terms.late else 0)
    total_s = 0.0
    for phase in range(last):
        total_s += phase_s(draws, function, phase, k, asked)
    return total_s, phase_s(draws, function, last, k, asked) if terms.late else 0.0


@part
def own_uniform(draws: Draws, function: int, purpose: int, k: int) -> float:
    """Draw `k` of a function for a purpose of those below."""
    return uniform(draws.key[function, draws.key.shape[1] + purpose], k)


@part
def life_s(draws: Draws, unit: int, k: int) -> float:
    """See `Lifetimes.draw`."""
    if draws.life.size == 1:
        return float(draws.life[0])
    return look_up(draws.life, own_uniform(draws, unit, LIFE, k))
