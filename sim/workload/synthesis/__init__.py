"""Synthetic traces from published marginals: a recipe of small parts, each a value with its unit and source.

`Synthesis` puts together how often apps are called (`Popularity`), how many functions they have (`Apps`), what calls
them and when (`Timers`, `Trigger`, `Pattern` and the arrival processes, `Day`), how long calls run (`Durations`), what
memory they take (`Memory`) and what they are packed in (`Packages`).
"""

from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import Bursts, Day, Even, OnOff, Poisson, Process
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory
from sim.workload.synthesis.popularity import Popularity
from sim.workload.synthesis.recipe import Synthesis
from sim.workload.synthesis.triggers import Pattern, Timers, Trigger

__all__ = [
    "Apps", "Bursts", "Day", "Durations", "Even", "Memory", "OnOff", "Packages", "Pattern", "Poisson", "Popularity",
    "Process", "Synthesis", "Timers", "Trigger",
]  # fmt: skip
