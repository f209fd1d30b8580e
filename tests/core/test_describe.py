from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from sim.core.build import Trust, build
from sim.core.describe import describe, public_name
from sim.core.distributions import LogNormal, Quantiles
from sim.core.errors import ConfigError
from sim.policies.keepalive.fixed_window import FixedWindow
from sim.workload.synthesis import Bursts, Pattern, Synthesis, Trigger
from sim.workload.transform import ScaleRate


@dataclass(frozen=True)
class Holder:
    value: Any
    made: int = field(default=3, init=False)


@pytest.mark.parametrize(
    "value",
    [
        FixedWindow(600.0),
        ScaleRate(2, seed=-5),
        Quantiles((0.0, 0.5, 1.0), (1.0, 2.0, 4.0)),
        Synthesis(40, 400, (Trigger("x", 1.0, 1.0, (Pattern(Bursts(3, 60.0)),)),), durations=LogNormal(1.0, 2.0)),
    ],
)
def test_what_is_described_is_built_again(value: Any) -> None:
    assert build(describe(value), "value", type(value), Trust()) == value


def test_plain_values_stay_as_they_are_and_are_copied() -> None:
    value = {"a": [1, 2.5, None, True, "x"], "b": ({"c": ()},)}
    described = describe(value)
    assert described == {"a": [1, 2.5, None, True, "x"], "b": [{"c": []}]}
    described["a"].append(1)
    assert len(value["a"]) == 5


def test_names_are_those_that_users_write() -> None:
    assert public_name(Bursts) == "sim.workload.synthesis.Bursts"
    assert public_name(FixedWindow) == "sim.policies.FixedWindow"
    assert public_name(LogNormal) == "sim.core.distributions.LogNormal"


def test_what_is_not_given_is_not_described() -> None:
    assert describe(Holder(1)) == {"_target_": f"{Holder.__module__}.Holder", "value": 1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.zeros(3), object(), Holder, b"x"])
def test_what_a_configuration_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be written as a configuration"):
        describe(Holder(value))
