"""The role: what a study is asked, and what it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from sim.experiment.setting import Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # takes half a second, which `import sim` need not


@dataclass(frozen=True, eq=False)
class Findings:
    """What a study found.

    Attributes:
        frame: its table, as it is written.
        shown: the same or a part of it for people: columns of text.
        notes: sentences by topic, written with the table and shown below it.
        figures: by the name of their files.
        inputs: what was read, for the manifest, ready for JSON.
    """

    frame: pd.DataFrame
    shown: pd.DataFrame
    notes: Mapping[str, str]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)


class Study(ABC):
    """A run that is no plain comparison of policies on one workload.

    A study is a value that holds parameters; the ``study`` node of a configuration describes it. What it finds depends
    on these, on its inputs and on what `run` is given, and on nothing else.
    """

    @abstractmethod
    def run(self, setting: Setting, replications: int) -> Findings:
        """Do it all: read, simulate, tabulate and draw.

        Args:
            setting: the platform, prices, engine, seed and span of the configuration.
            replications: how often what is random is to be drawn.

        Raises:
            KeepwarmError: anything that the user can mend.
        """
