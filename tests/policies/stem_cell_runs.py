"""Short runs on a platform whose starts have phases, for tests of stem cells."""

import numpy as np
import pandas as pd

import sim
from sim.platform.startup import PhasedStart

PHASES = PhasedStart({"create": 1.0, "download": 0.25, "prepare": 0.5, "runtime": 0.5})
"""2 s of a cell's, and a quarter that is left when one is taken."""
OWN_S, WHOLE_S = 0.25, 2.25


def table(rows: int = 1, **columns: object) -> pd.DataFrame:
    named = pd.DataFrame({"name": [f"f{i}" for i in range(rows)], "memory_mb": 1024.0}).assign(**columns)
    return sim.Trace.from_arrays([0], [0.0], 0.0, functions=named).functions


def trace(*arrivals_s: float, function: object = 0, horizon_s: float | None = None, **columns: object) -> sim.Trace:
    """Calls of an eighth of a second."""
    f = np.broadcast_to(np.array(function, np.int32), len(arrivals_s)).copy()
    functions = table(int(f.max()) + 1, **columns)
    return sim.Trace.from_arrays(f, arrivals_s, 0.125, functions=functions, horizon_s=horizon_s)


def run(calls: sim.Trace, policy: sim.policies.KeepAlive, seed: int = 0, **platform: object) -> sim.Result:
    return sim.simulate(calls, policy, sim.Platform(**{"start": PHASES} | platform), seed=seed)
