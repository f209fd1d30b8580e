"""Prints the cold calls that docs/aws_lambda_2020.md counts as renewals, and those that speak against them.

What a response lasted beyond the execution, less the client's handshake, tells whether a cold call paid for an
initialisation. For each call the instances are listed that no call used again, idle for no longer than the surplus
window: seconds idle, and the age at which they were last used.

Usage: python docs/figures/aws_lambda_2020_renewal.py FOLDER, with the rate_*.csv in FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sim.experiment.aws_lambda_2020 import at_the_platform, read_measurements

FloatArray = npt.NDArray[np.float64]

WINDOW_S, SURPLUS_S = 640.0, 1300.0
PAID_S = 0.2
"""No cold call lies between 0.15 and 0.30 s."""


def ended(calls: pd.DataFrame, i: int) -> list[tuple[float, float]]:
    """The instances that ended before call `i`, idle within the surplus window: seconds idle, age when last used."""
    instances = calls.groupby("instance")
    latest_s = instances["end_s"].max()
    idle_s, age_s = calls["arrival_s"][i] - latest_s, latest_s - instances["arrival_s"].min()
    gone = latest_s.index[(idle_s >= 0) & (idle_s < SURPLUS_S)]
    return sorted((round(float(idle_s[k]), 1), round(float(age_s[k]))) for k in gone)


def main(folder: Path) -> None:
    """Print every cold call in question."""
    for measured in read_measurements(folder):
        calls = pd.read_csv(str(measured.file)).assign(end_s=lambda table: table["arrival_s"] + table["response_s"])
        late_s = at_the_platform(measured.arrival_s, measured.response_s)[0] - measured.arrival_s
        beyond_s = calls["response_s"] - calls["execution_ms"] / 1000 - late_s
        cold = calls.index[calls["is_cold"] == 1]
        free = [i for i in cold if beyond_s[i] < PAID_S]
        paid = np.sort(beyond_s[cold][beyond_s[cold] >= PAID_S])
        sys.stdout.write(
            f"{measured.rate:g}/s: {len(free)} of {cold.size} cold calls paid no initialisation: at most"
            f" {beyond_s[free].max():.2f} s, the others {paid[0]:.2f} s or more\n"
        )
        for i in cold:
            idle_s = calls["arrival_s"][i] - calls["end_s"][:i].max()
            if i in free or (idle_s < WINDOW_S and ended(calls, i)):
                kind = "renewed" if i in free else "paid   "
                sys.stdout.write(
                    f"  {kind} at {calls['arrival_s'][i]:.0f} s, function idle for {max(idle_s, 0):.0f} s,"
                    f" ended: {ended(calls, i)}\n"
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
