"""The handler, loaded by the first call on an instance: who pays, what it is part of, and when it is cut."""

from math import inf

import numpy as np
import pandas as pd
import pytest

import sim
from sim.core.distributions import Exponential
from sim.core.errors import ConfigError
from sim.core.random import function_keys
from sim.engine import reference
from sim.platform import ConstantStart, PhasedStart
from sim.policies import FixedWindow, NoKeepAlive, PingWarmer, ProvisionedFloor
from sim.policies.keepalive.role import KeepAlive
from sim.results.pricing import PriceBook
from sim.results.result import Result

START = PhasedStart({"create": 1.0, "handler": 0.5})
TEN_S = FixedWindow(10.0)
BOTH_WAYS = pytest.mark.parametrize("max_instances", [inf, 1e9], ids=["plain", "slotted"])


def calls(
    *at: tuple[float, float], timeout_s: float = inf, horizon_s: float | None = None, **columns: object
) -> sim.Trace:
    """Calls of one function: when, and for how long."""
    arrival_s, duration_s = zip(*at, strict=True)
    functions = pd.DataFrame([{"name": "f", "timeout_s": timeout_s, "memory_mb": 1024.0, **columns}])
    return sim.Trace.from_arrays([0] * len(at), arrival_s, duration_s, functions=functions, horizon_s=horizon_s)


def run(trace: sim.Trace, policy: KeepAlive = TEN_S, start: object = START, **options: object) -> Result:
    price = options.pop("price", sim.load_pricing())
    return sim.simulate(trace, policy, sim.Platform(start, **options), price=price)  # type: ignore[arg-type]


def told(result: Result) -> list[tuple[float, float, str]]:
    """Start, end and kind of every call."""
    columns = result.invocations[["start_s", "end_s", "start_kind"]]
    return [(s, e, str(kind)) for s, e, kind in columns.itertuples(index=False)]


# Who pays


@BOTH_WAYS
def test_the_call_that_made_the_instance_pays_and_no_other(max_instances: float) -> None:
    result = run(calls((0.0, 2.0), (5.0, 2.0)), max_instances=max_instances)
    assert told(result) == [(1.0, 3.5, "cold"), (5.0, 7.0, "warm")]
    assert result.instances["ready_s"].tolist() == [1.0]
    assert result.starts.loc[0, ["create_s", "handler_s"]].tolist() == [1.0, 0.5]


def test_the_first_call_on_an_instance_that_nobody_called_yet_is_warm_and_pays() -> None:
    result = run(calls((3.0, 2.0), (9.0, 2.0)), ProvisionedFloor(1, window_s=5.0))
    assert told(result) == [(3.0, 5.5, "warm"), (9.0, 11.0, "warm")]
    assert result.summary[["prewarmed", "wait_mean_s", "latency_mean_s"]].tolist() == [1.0, 0.0, 2.25]


def test_a_ping_is_a_call_and_takes_the_load() -> None:
    policy = PingWarmer(period_s=100.0, window_s=50.0, ping_s=0.1)
    result = run(calls((5.0, 2.0), horizon_s=50.0), policy)
    assert told(result) == [(5.0, 7.0, "warm")]
    assert result.summary["busy_gb_s"] == pytest.approx(0.6 + 2.0)  # the ping from 1 to 1.6


def test_calls_that_start_together_wait_for_one_load() -> None:
    result = run(calls((0.0, 2.0), (0.2, 1.0), (1.25, 0.1), (1.5, 0.1), horizon_s=20.0, concurrency=4))
    assert told(result) == [(1.0, 3.5, "cold"), (1.0, 2.5, "queued"), (1.25, 1.6, "warm"), (1.5, 1.6, "warm")]
    assert len(result.instances) == 1
    assert result.summary["busy_gb_s"] == 2.5  # from 1 to 3.5, not four executions


def test_functions_of_one_app_load_once_an_instance() -> None:
    table = pd.DataFrame({"name": ["a", "b"], "app": ["x", "x"]})
    trace = sim.Trace.from_arrays(["a", "b"], [0.0, 5.0], 1.0, functions=table)
    assert told(run(trace, isolation="app")) == [(1.0, 2.5, "cold"), (5.0, 6.0, "warm")]


# What it is part of


@BOTH_WAYS
def test_it_is_busy_and_not_starting(max_instances: float) -> None:
    summary = run(calls((0.0, 2.0), horizon_s=20.0), max_instances=max_instances).summary
    assert summary[["starting_gb_s", "busy_gb_s", "idle_gb_s"]].tolist() == [1.0, 2.5, 10.0]


@BOTH_WAYS
def test_the_window_runs_from_the_real_end(max_instances: float) -> None:
    trace = calls((0.0, 2.0), (13.5, 2.0), (27.0, 0.0))
    result = run(trace, max_instances=max_instances)
    assert told(result) == [(1.0, 3.5, "cold"), (13.5, 15.5, "warm"), (28.0, 28.5, "cold")]
    assert result.instances["ended_s"].tolist() == [25.5, 38.5]
    none = run(calls((0.0, 2.0), (3.5, 0.0)), NoKeepAlive(), max_instances=max_instances)
    assert told(none) == [(1.0, 3.5, "cold"), (3.5, 3.5, "warm")]


def book(**prices: object) -> PriceBook:
    """A book in which a billed second of 1 GB is 1 USD, so that charges read as billed seconds."""
    fixed = {"name": "seconds", "source": "-", "date": "-", "usd_per_million_requests": 0.0, "usd_per_gb_s": 1.0}
    return PriceBook(**fixed | {"granularity_s": 0.001, "minimum_s": 0.0, "bills_start_up": False} | prices)  # type: ignore[arg-type]


@BOTH_WAYS
@pytest.mark.parametrize(
    ("prices", "usd"),
    [
        ({}, 2.5 + 2.0),
        ({"bills_start_up": True}, 1.0 + 2.5 + 2.0),
        ({"bills_start_up": True, "start_up_phases": ["create"]}, 1.0 + 2.5 + 2.0),
        ({"bills_start_up": True, "start_up_phases": ["handler"]}, 1.0 + 2.5 + 2.0),
        ({"bills_start_up": True, "start_up_phases": ["create", "handler"]}, 1.0 + 2.5 + 2.0),
    ],
)
def test_it_is_billed_as_duration_and_once(prices: dict[str, object], usd: float, max_instances: float) -> None:
    result = run(calls((0.0, 2.0), (5.0, 2.0)), price=book(**prices), max_instances=max_instances)
    assert result.summary["user_cost_usd"] == pytest.approx(usd, rel=1e-12)


def test_a_whole_number_of_steps_is_billed_as_that_many_late_in_a_long_trace() -> None:
    start = PhasedStart({"create": 1.0, "handler": 0.002})
    at_s = 1_209_599.7  # where the difference of end and start is a step too many
    assert (at_s + 1.0 + 0.002 + 0.001) - (at_s + 1.0) > 0.003 * (1 + 1e-9)
    result = run(calls((at_s, 0.001)), start=start, price=book())
    assert result.summary["user_cost_usd"] == pytest.approx(0.003, rel=1e-12)


def test_pings_and_held_instances_are_billed_for_their_loads() -> None:
    pinged = run(calls((5.0, 2.0), horizon_s=250.0), PingWarmer(period_s=100.0, window_s=150.0), price=book())
    ping_s = PingWarmer().ping_s
    assert pinged.summary["pings"] == 3
    assert pinged.summary["user_cost_usd"] == pytest.approx(3 * ping_s + 0.5 + 2.0, rel=1e-12)
    prices = {"provisioned_usd_per_gb_s": 0.25, "provisioned_duration_usd_per_gb_s": 3.0}
    held = run(calls((3.0, 2.0), horizon_s=8.0), ProvisionedFloor(1, window_s=5.0), price=book(**prices))
    assert held.summary["user_cost_usd"] == pytest.approx(8.0 * 0.25 + 2.5 * 3.0, rel=1e-12)


# When it is cut


@BOTH_WAYS
def test_a_time_out_inside_the_load_cuts_the_call_and_the_next_waits_for_the_rest(max_instances: float) -> None:
    trace = calls((0.0, 0.1), (1.4, 0.05), (1.6, 0.05), timeout_s=0.3)
    result = run(trace, max_instances=max_instances, price=book())
    assert told(result) == [(1.0, 1.3, "cold"), (1.4, 1.55, "warm"), (1.6, 1.6500000000000001, "warm")]
    assert result.invocations["outcome"].tolist() == ["timed_out", "ok", "ok"]
    assert result.summary["timed_out"] == 1
    assert result.summary["user_cost_usd"] == pytest.approx(0.3 + 0.15 + 0.05, rel=1e-9)


@BOTH_WAYS
@pytest.mark.parametrize(
    ("duration_s", "outcome", "end_s"),
    [(0.5, "ok", 2.0), (0.75, "timed_out", 2.0), (1.0, "timed_out", 2.0), (4.0, "timed_out", 2.0)],
)
def test_load_and_execution_share_the_time_out(
    duration_s: float, outcome: str, end_s: float, max_instances: float
) -> None:
    trace = calls((0.0, duration_s), (9.0, duration_s), timeout_s=1.0)
    result = run(trace, max_instances=max_instances)
    assert told(result)[0] == (1.0, end_s, "cold")
    warm = "timed_out" if duration_s > 1.0 else "ok"
    assert result.invocations["outcome"].tolist() == [outcome, warm]


def test_a_time_out_cuts_the_load_that_a_ping_began() -> None:
    result = run(calls((5.0, 0.1), timeout_s=0.25), PingWarmer(period_s=100.0, window_s=50.0, ping_s=0.1), price=book())
    assert told(result) == [(5.0, 5.1, "warm")]
    assert result.summary["busy_gb_s"] == pytest.approx(0.25)  # the ping; the call ends after the horizon
    assert result.summary["user_cost_usd"] == pytest.approx(0.25 + 0.1, rel=1e-9)


def test_the_short_way_is_taken_unless_a_load_may_be_cut() -> None:
    start = PhasedStart({"handler": Exponential(0.1)})
    for timeout_s, plain in ((inf, True), (1e6, False), (0.01, False)):
        functions = calls((0.0, 1.0), timeout_s=timeout_s).functions
        assert sim.Platform(start).is_plain(functions) == plain
        assert sim.Platform(ConstantStart(5.0)).is_plain(functions)


# What is drawn


def test_loads_are_drawn_with_their_starts() -> None:
    start = PhasedStart({"create": Exponential(1.0), "handler": Exponential(1.0)})
    trace = calls((0.0, 1.0), (50.0, 1.0))
    drawn = {
        purpose: start.bind(trace.functions, 0, 0, *trace.function_keys(), purpose=purpose).draw(0, 0)
        for purpose in ("start", "prewarm")
    }
    cold = run(trace, NoKeepAlive(), start)
    create_s, handler_s = drawn["start"]
    assert cold.starts.loc[0, ["create_s", "handler_s"]].tolist() == [create_s, handler_s]
    assert cold.invocations["end_s"][0] == (create_s + handler_s) + 1.0
    held = run(trace, ProvisionedFloor(1, window_s=5.0), start)
    assert held.invocations["end_s"].tolist() == [drawn["prewarm"][1] + 1.0, 51.0]


def test_what_fails_loads_nothing_and_what_is_tried_again_loads_once() -> None:
    trace = calls(*((100.0 * i, 1.0) for i in range(40)))
    result = run(trace, NoKeepAlive(), start_failure_probability=0.5, start_attempts=2)
    starts = result.starts.set_index("row")
    failed = result.invocations["outcome"] == "failed"
    assert 0 < failed.sum() < 40
    assert (starts["handler_s"][failed] == 0.0).all()
    assert (starts["handler_s"][~failed] == 0.5).all()
    assert set(starts["failed_s"][~failed]) == {0.0, 1.0}  # an attempt fails before its handler is loaded
    served = result.invocations[~failed]
    assert (served["end_s"] == (served["start_s"] + 0.5) + 1.0).all()


def test_a_platform_without_it_has_no_such_column() -> None:
    for start in (ConstantStart(1.0), PhasedStart({"create": 1.0})):
        result = run(calls((0.0, 2.0)), start=start)
        assert "handler_s" not in result.starts
        assert told(result) == [(1.0, 3.0, "cold")]


def test_a_load_of_no_time_changes_nothing() -> None:
    random = np.random.default_rng(0)
    trace = calls(*zip(np.sort(random.random(300) * 60).tolist(), random.random(300).tolist(), strict=True))
    create = Exponential(0.3)
    one, other = (
        reference.run(trace, FixedWindow(0.4), sim.Platform(PhasedStart(phases)), horizon_s=trace.horizon_s)
        for phases in ({"create": create}, {"create": create, "handler": 0.0})
    )
    for name in ("start_s", "end_s", "start_kind", "outcome", "instance", "idle_since_s", "loading"):
        assert getattr(one.requests, name).tobytes() == getattr(other.requests, name).tobytes()


# Images


def test_an_image_carries_the_base_that_zip_packages_share() -> None:
    table = pd.DataFrame({"name": ["z", "i"], "package_kind": ["zip", "image"], "package_mb": [50.0, 50.0]})
    trace = sim.Trace.from_arrays(["z", "i"], [0.0, 0.0], 1.0, functions=table)
    whole = sim.load_platform("whole_images", image_base_mb=150.0)
    result = sim.simulate(trace, FixedWindow(10.0), whole)
    assert result.starts["fetched_mb"].tolist() == [50.0, 200.0]
    assert result.starts["download_s"][1] == pytest.approx(0.01 * 200.0)
    lazy = sim.simulate(trace, FixedWindow(10.0))
    assert lazy.starts["fetched_mb"].tolist() == [50.0, 50.0]
    assert lazy.starts["download_s"][1] == 0.35
    assert whole.start.phases["runtime"] == sim.load_platform().start.phases["runtime"]


def test_an_app_s_image_carries_the_base_once() -> None:
    table = pd.DataFrame({"name": ["a", "b"], "app": ["x", "x"], "package_kind": "image", "package_mb": [5.0, 7.0]})
    functions = sim.Trace.from_arrays([0], [0.0], 1.0, functions=table).functions
    platform = sim.Platform(start_s=1.0, isolation="app", image_base_mb=100.0)
    assert platform.deployed(functions)["package_mb"].tolist() == [112.0, 112.0]


@pytest.mark.parametrize("size_mb", [-1.0, inf])
def test_a_base_of_an_impossible_size_is_refused(size_mb: float) -> None:
    with pytest.raises(ConfigError, match="image_base_mb"):
        sim.Platform(start_s=1.0, image_base_mb=size_mb)


# The default platform


def default_loads_s(**columns: object) -> float:
    trace = calls((0.0, 1.0), **columns)
    keys = function_keys([""], ["f"], ["f"])
    draws = sim.load_platform().start_model.bind(trace.functions, 0, 0, *keys)
    return draws.draw(0, 0)[draws.phases.index("handler")]


def test_which_runtimes_load_late_by_default() -> None:
    loads_s = {r: default_loads_s(runtime=r, package_mb=14.0, memory_mb=256.0) for r in ("python3.12", "ruby3.2", "x")}
    assert len(set(loads_s.values())) == 1
    assert loads_s["x"] == pytest.approx(14.0 * 2.0 / 256.0)
    assert default_loads_s(runtime="dotnet8", memory_mb=128.0) == pytest.approx(90.0 / 128.0)
    for runtime in ("go", "rust", "provided.al2023"):
        assert default_loads_s(runtime=runtime, package_mb=14.0, memory_mb=128.0) == 0.0
    assert default_loads_s(package_mb=14.0, package_kind="image", memory_mb=128.0) == 0.0
    assert default_loads_s(package_mb=14.0, memory_mb=10.0) == default_loads_s(package_mb=14.0, memory_mb=128.0)
    assert default_loads_s(package_mb=14.0, memory_mb=4096.0) == default_loads_s(package_mb=14.0, memory_mb=1769.0)


def test_first_calls_are_the_measured_ones(shared) -> None:
    table = pd.read_csv(shared / "measurements" / "lambda_init.csv")
    table = table[(table["runtime"] == "dotnet8") & (table["arch"] == "x86_64") & (table["snapstart"] == 0)]
    assert len(table) == 8
    for row in table.itertuples():
        modelled_s = default_loads_s(runtime="dotnet8", memory_mb=float(row.memory_mb), package_kind=row.package)
        assert modelled_s == pytest.approx(row.mean_first_invoke_ms / 1000, rel=0.18)


def test_modules_are_loaded_as_a_client_saw_it_by_memory(shared) -> None:
    """Beyond the call of a package of 1 KB; one median of 14, of 35 MB at 1024 MB, is 18 % off."""
    table = pd.read_csv(shared / "measurements" / "coldstarts_2021.csv").set_index(["provider", "breakdown", "label"])
    median_s = table["median_s"].loc["aws"]
    errors = []
    for breakdown, package_mb in (("bymemoryxl", 14.0), ("bymemoryxxxl", 35.0)):
        for memory_mb in (128, 256, 512, 1024, 2048, 4096, 8192):
            measured_s = median_s[breakdown, f"{memory_mb} MB"] - median_s["bymemory", f"{memory_mb} MB"]
            loaded_s = default_loads_s(runtime="nodejs22", package_mb=package_mb, memory_mb=float(memory_mb))
            errors.append((0.0973 * package_mb + loaded_s) / measured_s - 1)
    assert sorted(np.abs(errors))[-2] < 0.10
    assert abs(np.mean(errors)) < 0.01
