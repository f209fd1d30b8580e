"""Two windows, one for the function and one for its surplus instances: what AWS Lambda did in 2020."""

from __future__ import annotations

from dataclasses import dataclass

from sim.policies.keepalive.role import KeepAlive, require_seconds
from sim.workload.trace import Trace


@dataclass(frozen=True)
class FunctionIdleWindow(KeepAlive):
    """Keep all instances of a function while it is in use, but none that has been surplus for long.

    An instance idle since `e` serves a call at `a` iff ``a <= e + surplus_window_s`` and ``a <= F + window_s``, F being
    the end of the function's latest call. The defaults are our fit to the measurements of AWS Lambda by Mahmoudi and
    Khazaei ("Performance Modeling of Serverless Computing Platforms", 2020); the evidence is in
    ``docs/aws_lambda_2020.md``.

    Attributes:
        window_s: seconds after the end of a function's latest call at which all its instances go.
        surplus_window_s: seconds after which an idle instance goes, however busy its function is.
    """

    window_s: float = 640.0
    surplus_window_s: float = 1300.0

    def __post_init__(self) -> None:
        require_seconds(self, window_s=self.window_s, surplus_window_s=self.surplus_window_s)

    def windows_s(self, future: Trace | None) -> float:
        """The surplus window."""
        return float(self.surplus_window_s)

    def unit_window_s(self) -> float:
        """The function's window."""
        return float(self.window_s)
