"""Policies that do what policies should not, in a module that worker processes can import."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from sim.policies import KeepAlive


@dataclass(frozen=True)
class Slow(KeepAlive):
    """Takes its time."""

    window_s: float = 60.0
    seconds: float = 0.05

    def windows_s(self, future: object) -> float:
        time.sleep(self.seconds)
        return self.window_s


@dataclass(frozen=True)
class Raising(KeepAlive):
    """Has a bug."""

    def windows_s(self, future: object) -> float:
        raise ZeroDivisionError("a bug of mine")


@dataclass(frozen=True)
class Nonsense(KeepAlive):
    """Answers what no platform can apply."""

    answer: object = -1.0

    def windows_s(self, future: object) -> object:  # type: ignore[override]
        return self.answer


@dataclass(frozen=True)
class Hanging(KeepAlive):
    """Never answers; `deaf`, in compiled code that no signal interrupts."""

    deaf: bool = False

    def windows_s(self, future: object) -> float:
        while True:
            if self.deaf:
                sum(range(10**15))


@dataclass(frozen=True)
class Murderous(KeepAlive):
    """Kills the process it runs in; `times` counts down in a file, so that it may get better."""

    counter: str = ""

    def windows_s(self, future: object) -> float:
        if self.counter:
            with Path(self.counter).open("a+") as file:
                file.write("x")
                if file.tell() > 1:
                    return 60.0
        os.kill(os.getpid(), signal.SIGKILL)
        return 60.0


@dataclass(frozen=True)
class Deadly(KeepAlive):
    """Kills the process that unpacks it, before that knows what it works on."""

    window_s: float = 60.0  # without anything to unpack, nothing is

    def __setstate__(self, state: object) -> None:
        os._exit(3)

    def windows_s(self, future: object) -> float:
        return 60.0


@dataclass(frozen=True, eq=False)
class Locked(KeepAlive):
    """Cannot be sent anywhere."""

    lock: object = field(default_factory=Lock)

    def windows_s(self, future: object) -> float:
        return 60.0
