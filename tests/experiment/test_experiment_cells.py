"""Cells of an experiment: all that a result depends on is in its key, and what is shared and kept stays the same."""

import importlib
import sys
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import small_counts
from six_calls import TRACE

import sim
from sim import Platform, Trace, load_platform, load_pricing, load_provider
from sim.core.random import generator
from sim.experiment.cells import cell_key, trace_key
from sim.experiment.fingerprint import fingerprint
from sim.experiment.setting import Setting
from sim.experiment.sharing import share
from sim.policies import FixedWindow, HybridHistogram, NoKeepAlive
from sim.results.digest import STATES, digest, time_by_part
from sim.results.store import decode, encode


def setting(platform: Platform | None = None, **options: object) -> Setting:
    served = platform or Platform(start_s=0.5)
    return Setting(served, load_pricing(), load_provider(), **options)  # type: ignore[arg-type]


# Keys


def key(trace: Trace = TRACE, policy: object = None, served: Setting | None = None, replication: int = 0) -> str:
    return cell_key("sources", trace_key(trace), policy or FixedWindow(60), served or setting(), replication)[0]  # type: ignore[arg-type]


def test_whatever_a_result_depends_on_is_in_its_key() -> None:
    keys = [
        key(),
        key(TRACE.slice(0, 600)),
        key(replace(TRACE, horizon_s=2000.0)),
        key(policy=FixedWindow(np.nextafter(60.0, 61.0))),
        key(policy=NoKeepAlive()),
        key(policy=HybridHistogram()),
        key(policy=HybridHistogram(range_s=7200.0)),
        key(served=setting(Platform(start_s=0.6))),
        key(served=setting(load_platform())),
        key(served=setting(seed=1)),
        key(served=setting(warm_up_s=1.0)),
        key(served=setting(horizon_s=100.0)),
        key(served=replace(setting(), price=load_pricing("azure_consumption"))),
        key(replication=1),
    ]
    assert len(set(keys)) == len(keys)
    assert key() == key(policy=FixedWindow(60.0)) == key(Trace.from_arrays(
        ["f", "g", "f", "f", "g", "f"], [0.0, 10.0, 30.0, 500.0, 1500.0, 1600.0], 2.0
    ))  # fmt: skip


def test_counts_are_in_the_key_of_a_trace(tmp_path: Path) -> None:
    """Two traces of the same columns whose other replications differ."""
    trace = sim.load_trace(small_counts(tmp_path / "counts"), arrivals="poisson")
    assert trace_key(trace) != trace_key(trace.recorded())


def test_the_source_of_a_users_policy_is_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    source = "from sim.policies import FixedWindow\nclass Mine(FixedWindow):\n    factor = {}\n"
    digests = []
    for factor in (1, 2, 2):
        (tmp_path / "users_policy.py").write_text(source.format(factor))
        sys.modules.pop("users_policy", None)
        importlib.invalidate_caches()
        told = fingerprint(importlib.import_module("users_policy").Mine(60))
        assert told.unsure == ()
        digests.append(told.digest)
    assert digests[0] != digests[1] == digests[2]
    (tmp_path / "users_policy.py").unlink()
    assert fingerprint(sys.modules["users_policy"].Mine(60)).unsure == ("the source of users_policy cannot be read",)
    monkeypatch.delitem(sys.modules, "users_policy")


def test_what_cannot_be_told_apart_is_said() -> None:
    class Local(FixedWindow):
        pass

    assert "was made inside a function" in fingerprint(Local(60)).unsure[0]
    assert "was made inside a function" in fingerprint({"f": lambda: 1}).unsure[0]
    loop: list[object] = []
    loop.append(loop)
    assert fingerprint(loop).unsure == ("an object that contains itself",)
    assert fingerprint(np.array([1.0, 2.0])).digest != fingerprint(np.array([1.0, 2.0], np.float32)).digest
    assert fingerprint({"a": 1}).digest != fingerprint({"a": True}).digest


def made(window_s: float) -> FixedWindow:
    class Mine(FixedWindow):
        def windows_s(self, future: object) -> float:
            return window_s

    return Mine(1.0)


def test_policies_that_cannot_be_told_apart_each_have_their_own_runs(tmp_path: Path) -> None:
    """Two classes of one name, made by one function, that differ in what they close over."""
    trace = Trace.from_arrays([0] * 40, np.arange(40) * 100.0, 1.0)
    frame = sim.compare(trace, {"60": made(60.0), "600": made(600.0)}, Platform(start_s=0.0))
    assert frame["cold_starts"].tolist() == [40, 1]


@dataclass(frozen=True)
class Scaled(FixedWindow):
    """What it multiplies by is no field."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", FACTORS[-1])


FACTORS = [1.0]


def test_what_was_set_on_a_dataclass_is_in_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    one = fingerprint(Scaled(60))
    monkeypatch.setattr(sys.modules[__name__], "FACTORS", [2.0])
    assert fingerprint(Scaled(60)).digest != one.digest
    assert fingerprint(range(3)).digest != fingerprint(range(4)).digest
    assert fingerprint(FixedWindow(60).windows_s).digest != fingerprint(FixedWindow(61).windows_s).digest
    assert fingerprint(iter([1])).unsure


class Name(str):
    """Text with a meaning of its own."""

    __slots__ = ()


def test_a_subclass_of_a_simple_type_is_not_that_type() -> None:
    assert fingerprint(Name("a")).digest != fingerprint("a").digest


def test_what_a_users_policy_imports_is_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "users_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "policy.py").write_text(
        "from sim.policies import FixedWindow\nfrom users_package import helper\nclass Mine(FixedWindow):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    digests = []
    for window in (60, 600):
        (package / "helper.py").write_text(f"WINDOW = {window}\n")
        for name in [name for name in sys.modules if name.startswith("users_package")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        digests.append(fingerprint(importlib.import_module("users_package.policy").Mine(60)).digest)
    assert digests[0] != digests[1]


# What is shared and what is kept


def test_a_shared_trace_is_the_trace(tmp_path: Path) -> None:
    for trace in (TRACE, sim.load_trace(small_counts(tmp_path / "counts"), arrivals="poisson")):
        shared = share(trace, tmp_path / "columns")
        for replication in (0, 2):
            assert shared.draw(replication).content_hash() == trace.draw(replication).content_hash()
        assert not shared.draw(0).arrival_s.flags.writeable


def test_a_digest_is_read_as_it_was_written_and_adds_up() -> None:
    trace = sim.load_trace("traces/default").slice(0, 3600)
    result = sim.simulate(trace, FixedWindow(600), warm_up_s=900.0)
    kept = digest(result)
    again = decode(encode(kept))
    assert encode(again) == encode(kept)
    pd.testing.assert_series_equal(again.summary, kept.summary, check_exact=True)
    for name in ("functions", "tail", "timeline", "phases", "decisions"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(kept, name), check_exact=True)
    width_s = kept.timeline["to_s"] - kept.timeline["from_s"]
    for state in STATES:
        assert (kept.timeline[state] * width_s).sum() == pytest.approx(result.functions[f"{state}_s"].sum(), rel=1e-9)
        assert (kept.timeline[f"{state}_gb"] * width_s).sum() == pytest.approx(
            result.summary[f"{state}_gb_s"], rel=1e-9
        )
    assert kept.timeline["calls"].sum() == result.summary["invocations"]
    assert kept.timeline["cold"].sum() == result.summary["cold_starts"]
    invocations = result.invocations
    assert invocations is not None
    counted = invocations[invocations["counted"]]
    latency_s = counted["end_s"] - counted["arrival_s"]
    for row in kept.tail.iloc[:40:8].itertuples():
        assert row.latency_s == pytest.approx(np.quantile(latency_s, 1 - row.survival))
    starts = result.starts
    assert starts is not None
    mine = starts[invocations["counted"].to_numpy()[starts["row"]]]
    assert kept.starts == len(mine)
    for phase, seconds in kept.phases.itertuples(index=False):
        assert seconds == pytest.approx(mine[f"{phase}_s"].sum())


def test_time_by_part_is_what_counting_gives() -> None:
    rng = generator(4, 0, "t")
    edges_s = np.linspace(5.0, 50.0, 8)
    begin_s = rng.uniform(0, 60, 200)
    end_s = begin_s + rng.exponential(10, 200)
    end_s[:5], begin_s[5:8], weight = np.inf, np.nan, rng.uniform(0, 2, 200)
    expected = [
        np.nansum(weight * np.clip(np.minimum(end_s, high) - np.maximum(begin_s, low), 0, None))
        for low, high in pairwise(edges_s)
    ]
    np.testing.assert_allclose(time_by_part(edges_s, begin_s, end_s, weight), expected, rtol=1e-9)
