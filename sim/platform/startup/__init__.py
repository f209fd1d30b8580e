"""Cold starts, phase by phase: what the phases are made of, the models, and the draws of one run."""

from sim.platform.startup.by_memory import ByMemoryMb
from sim.platform.startup.draws import StartDraws, totals_s
from sim.platform.startup.models import PHASES, ConstantStart, PhasedStart, StartModel
from sim.platform.startup.parts import Affine, Choose, Draw, PackageWork, PerMemoryMb, PerPackageMb, Phase, Sum

__all__ = [
    "PHASES",
    "Affine",
    "ByMemoryMb",
    "Choose",
    "ConstantStart",
    "Draw",
    "PackageWork",
    "PerMemoryMb",
    "PerPackageMb",
    "Phase",
    "PhasedStart",
    "StartDraws",
    "StartModel",
    "Sum",
    "totals_s",
]
