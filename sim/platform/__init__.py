"""What serves the calls: the SimPy model, one component a file, and the platform that wires them."""

from sim.platform.platform import Platform
from sim.platform.startup import ConstantStart, PhasedStart

__all__ = ["ConstantStart", "PhasedStart", "Platform"]
