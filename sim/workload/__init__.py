"""What arrives: traces as columns, one reader a format, synthesis, arrivals and durations made from counts."""

from sim.workload.load import load_trace
from sim.workload.trace import Trace

__all__ = ["Trace", "load_trace"]
