"""The list of policies: every parameter with unit and description, and the work that each policy cites."""

from dataclasses import dataclass, fields

import pytest
from rich.console import Console

from sim import policies
from sim.config import policy_presets
from sim.policies import (
    AdaptiveWindow,
    FixedWindow,
    HybridHistogram,
    KeepAlive,
    NoKeepAlive,
    ProvisionedFloor,
    SkiRental,
    StemCells,
)
from sim.report.policies import attributes, citation, policy_details, policy_parameters, policy_table, role

SHIPPED = [getattr(policies, name) for name in policies.__all__ if name not in ("KeepAlive", "Scaling")]


@pytest.mark.parametrize("cls", SHIPPED)
def test_every_parameter_of_every_shipped_policy_is_described(cls: type[KeepAlive]) -> None:
    assert [p.name for p in policy_parameters(cls)] == [field.name for field in fields(cls)]
    assert all(p.about for p in policy_parameters(cls))
    assert set(attributes(cls)) == {field.name for field in fields(cls)}
    for parameter in policy_parameters(cls):
        assert (parameter.unit == "s") is parameter.name.endswith("_s")


def test_an_instance_is_shown_with_its_parameters_and_a_class_with_its_defaults() -> None:
    assert [str(p) for p in policy_parameters(FixedWindow(60.5))] == ["window_s = 60.5 s"]
    assert [str(p) for p in policy_parameters(FixedWindow)] == ["window_s = 600 s"]
    assert [str(p) for p in policy_parameters(SkiRental(randomised=True))][1] == "randomised = True"
    assert policy_parameters(NoKeepAlive) == []
    assert str(policy_parameters(HybridHistogram)[2]) == "head_percentile = 5 %"


def test_a_parameter_without_default_has_no_value() -> None:
    @dataclass(frozen=True)
    class Mine(KeepAlive):
        often: int

    assert str(policy_parameters(Mine)[0]) == "often = ?"


def test_the_source_is_the_first_work_that_is_cited() -> None:
    cited = (HybridHistogram, FixedWindow, AdaptiveWindow, SkiRental, NoKeepAlive)
    assert {cls.__name__: citation(cls) for cls in cited} == {
        "HybridHistogram": "Shahrad et al., USENIX ATC 2020",
        "FixedWindow": "Shahrad et al., USENIX ATC 2020",
        "AdaptiveWindow": "Li et al., USENIX ATC 2022",
        "SkiRental": "Karlin, Manasse, Rudolph and Sleator, Algorithmica 3, 1988",
        "NoKeepAlive": "",
    }  # fmt: skip


def test_the_role_says_what_else_a_policy_does() -> None:
    assert role(FixedWindow) == "keep-alive"
    assert role(ProvisionedFloor) == "keep-alive + provisioned instances"
    assert role(StemCells) == "keep-alive + generic pools"


def test_the_table_has_a_row_for_each() -> None:
    console = Console(width=120, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(policy_table({"fixed_1m": FixedWindow(60.0), "mine": HybridHistogram}))
    text = captured.get()
    assert "fixed_1m" in text
    assert "window_s = 60 s" in text
    assert "learns_by = unit" in text
    assert text.count("Shahrad et al., USENIX ATC 2020") == 2


def test_names_are_whole_on_a_narrow_terminal() -> None:
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(policy_table(policy_presets()))
    lines = captured.get().splitlines()
    assert max(map(len, lines)) <= 80
    words = {word for line in lines for word in line.split()}
    assert words >= {*policy_presets(), *(type(policy).__name__ for policy in policy_presets().values())}


def test_the_details_say_everything() -> None:
    text = policy_details("ski", SkiRental(60.0))
    assert text.startswith("ski: sim.policies.keepalive.ski_rental.SkiRental (keep-alive)\n\nKeep for as long")
    assert "start_worth_s = 60 s\n    seconds of idling of one instance that one cold start is worth" in text
    assert "Attributes" not in text
