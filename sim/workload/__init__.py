"""What arrives: traces as columns, one reader a format, synthesis, arrivals and durations made from counts."""

from sim.workload.load import load_trace
from sim.workload.partition.saving import save_by_function
from sim.workload.partition.writer import PartitionWriter
from sim.workload.partitioned import PartitionedTrace, open_trace
from sim.workload.trace import Trace

__all__ = ["PartitionWriter", "PartitionedTrace", "Trace", "load_trace", "open_trace", "save_by_function"]
