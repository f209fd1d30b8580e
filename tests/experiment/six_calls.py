"""A trace of six calls of two functions, for experiments that need no more."""

from sim import Trace

TRACE = Trace.from_arrays(["f", "g", "f", "f", "g", "f"], [0.0, 10.0, 30.0, 500.0, 1500.0, 1600.0], 2.0)
