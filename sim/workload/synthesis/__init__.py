"""Synthetic traces from published marginals and textbook processes: recipes of small parts, each a value with its unit.

Three recipes, each a `Synthesizer`:

- `Synthesis` makes a given number of calls, as nearly as can be like those of a real platform: how often apps are
  called (`Popularity`), how many functions they have (`Apps`), what calls them and when (`Timers`, `Trigger`, `Pattern`
  and the arrival processes, `Day`), how long calls run (`Durations`), what memory they take (`Memory`) and what they
  are packed in (`Packages`).
- `AzureScale` makes the counts a minute of a whole cloud, in parts if it is too large to be held.
- `Superposition` calls functions at given rates (`Zipf`) by processes of one kind, independent of each other.
"""

from sim.workload.synthesis.apps import Apps, Packages
from sim.workload.synthesis.arrivals import Bursts, Day, Even, OnOff, Poisson, Process, RateProcess
from sim.workload.synthesis.azure_scale import AzureScale, TraceParts
from sim.workload.synthesis.durations import Durations
from sim.workload.synthesis.memory import Memory
from sim.workload.synthesis.modulated import MMPP, FlashCrowd, Interrupted, Modulated
from sim.workload.synthesis.periodic import Periodic
from sim.workload.synthesis.popularity import Popularity, Zipf
from sim.workload.synthesis.recipe import Synthesis
from sim.workload.synthesis.superposition import Superposition
from sim.workload.synthesis.synthesizer import Synthesizer
from sim.workload.synthesis.triggers import Pattern, Timers, Trigger

__all__ = [
    "MMPP", "Apps", "AzureScale", "Bursts", "Day", "Durations", "Even", "FlashCrowd", "Interrupted", "Memory",
    "Modulated", "OnOff", "Packages", "Pattern", "Periodic", "Poisson", "Popularity", "Process", "RateProcess",
    "Superposition", "Synthesis", "Synthesizer", "Timers", "TraceParts", "Trigger", "Zipf",
]  # fmt: skip
