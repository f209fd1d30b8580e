"""What a script or notebook calls: the design's own example, values that travel, errors that help."""

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, is_dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command import small_counts

import sim
from sim.policies.keepalive.rule import Rule

F, A, X = ["f", "g", "f"], [0.0, 10.0, 400.0], [1.0, 2.0, 3.0]
TRACE = sim.Trace.from_arrays(F, A, X)
ROLE = sim.policies.KeepAlive
POLICIES = [p for p in vars(sim.policies).values() if inspect.isclass(p) and is_dataclass(p) and issubclass(p, ROLE)]


# The design's example, line by line


def test_traces_are_loaded_and_made(tmp_path: Path) -> None:
    trace = sim.load_trace("traces/default")
    assert len(trace) > 400_000
    folder = small_counts(tmp_path / "azure")
    trace = sim.load_trace(folder, format="azure2019", arrivals="even", durations="mean", seed=0)
    assert len(trace) == 12
    trace = sim.Trace.from_arrays(function=F, arrival_s=A, duration_s=X)
    assert trace.functions["name"].tolist() == ["f", "g"]
    functions = pd.DataFrame({"name": ["g", "f"], "memory_mb": [256, 512]})
    trace = sim.Trace.from_arrays(function=np.array([1, 0, 1]), arrival_s=A, duration_s=X, functions=functions)
    assert trace.functions["memory_mb"].tolist() == [256.0, 512.0]


def test_a_platform_is_a_config_with_overrides_as_keywords() -> None:
    assert sim.load_platform("default") == sim.load_platform()
    assert sim.load_platform("constant_start", start_s=1.0).start_s == 1.0


def test_a_simulation() -> None:
    platform = sim.load_platform("default")
    result = sim.simulate(TRACE, sim.policies.FixedWindow(600), platform=platform, engine="simpy", seed=0,
                          replication=0, record=True)  # fmt: skip
    assert result.summary["cold_start_rate"] == 2 / 3
    assert result.summary.dtype == np.float64
    assert list(result.invocations.columns[:7]) == [
        "function", "arrival_s", "start_s", "end_s", "start_kind", "outcome", "instance"
    ]  # fmt: skip
    assert result.invocations["arrival_s"].tolist() == A
    assert result.invocations["start_kind"].tolist() == ["cold", "cold", "warm"]
    assert sim.simulate(TRACE, sim.policies.FixedWindow(600), record=False).invocations is None


def test_a_comparison() -> None:
    trace = sim.load_trace("traces/default").slice(0, 600)
    table = sim.compare(trace, {"10 min": sim.policies.FixedWindow(600), "1 min": sim.policies.FixedWindow(60)},
                        replications=3)  # fmt: skip
    assert table["policy"].tolist() == ["10 min", "1 min"]
    assert table["replications"].tolist() == [3, 3]
    assert table["wasted_normalised"][0] == 1.0
    assert (table["latency_p99_s_ci95"] > 0).all()
    assert "95 % t intervals" in table.attrs["intervals"]


def test_the_presets_of_a_script_are_those_of_the_command_line() -> None:
    policy = sim.policies.FixedWindow(60)
    said = sim.simulate(TRACE, policy, sim.load_platform("default"), price=sim.load_pricing("aws_lambda_x86"),
                        provider=sim.load_provider("provider_ec2_m5"))  # fmt: skip
    pd.testing.assert_series_equal(said.summary, sim.simulate(TRACE, policy).summary)


def test_seed_and_replication_choose_the_draws() -> None:
    def waits(**options: int) -> list[float]:
        return sim.simulate(TRACE, sim.policies.NoKeepAlive(), **options).invocations["start_s"].tolist()

    assert waits() == waits(seed=0, replication=0)
    assert waits() != waits(seed=1) != waits(replication=1) != waits()


def test_numpys_integers_will_do() -> None:
    policy, cases = sim.policies.NoKeepAlive(), ((np.int64(3), 3), (np.uint8(200), 200), (-1, -1))
    for given, plain in cases:
        one, two = (sim.simulate(TRACE, policy, seed=seed).summary for seed in (given, plain))
        pd.testing.assert_series_equal(one, two)
    assert sim.compare(TRACE, {"a": policy}, replications=np.int64(2))["replications"].tolist() == [2]


def test_everything_promised_is_there() -> None:
    assert all(hasattr(sim, name) for name in sim.__all__)
    assert all(hasattr(sim.policies, name) for name in sim.policies.__all__)
    assert all(inspect.getdoc(getattr(sim, name)) for name in sim.__all__)


# Values


@pytest.mark.parametrize("cls", POLICIES, ids=lambda cls: cls.__name__)
def test_policies_are_values(cls: type) -> None:
    required = [p for p in inspect.signature(cls).parameters.values() if p.default is p.empty]
    if required:
        pytest.skip(f"{cls.__name__} has no default for {required[0].name}")
    policy = cls()
    assert pickle.loads(pickle.dumps(policy)) == policy == cls()
    assert hash(policy) == hash(cls())
    assert repr(policy).startswith(cls.__name__)
    with pytest.raises((FrozenInstanceError, AttributeError)):
        policy.window_s = 1.0


@pytest.mark.parametrize("name", ["default", "constant_start"])
def test_platforms_and_prices_are_values(name: str) -> None:
    for value in (sim.load_platform(name), sim.load_pricing(), sim.load_provider()):
        assert pickle.loads(pickle.dumps(value)) == value
    with pytest.raises(FrozenInstanceError):
        sim.load_platform(name).max_lifetime_s = 1.0


def test_a_result_travels_between_processes() -> None:
    result = sim.simulate(TRACE, sim.policies.FixedWindow(60))
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_series_equal(again.summary, result.summary)
    for name in ("functions", "invocations", "instances", "starts"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(result, name))
    assert again.about == result.about
    assert repr(again) == repr(result)
    assert "3 calls" in repr(result)


def test_a_trace_travels_between_processes(tmp_path: Path) -> None:
    for trace in (TRACE, sim.load_trace(small_counts(tmp_path / "azure"), arrivals="uniform")):
        again = pickle.loads(pickle.dumps(trace))
        assert again.content_hash() == trace.content_hash()
        assert again.draw(1).content_hash() == trace.draw(1).content_hash()


def test_a_run_changes_none_of_its_inputs() -> None:
    functions, about = TRACE.functions.copy(), dict(TRACE.about)
    before = TRACE.content_hash()
    sim.simulate(TRACE, sim.policies.Clairvoyant())
    assert TRACE.content_hash() == before
    pd.testing.assert_frame_equal(TRACE.functions, functions)
    assert dict(TRACE.about) == about


@pytest.mark.parametrize("column", ["function", "arrival_s", "duration_s"])
def test_a_traces_columns_cannot_be_written_to(column: str, tmp_path: Path) -> None:
    for trace in (TRACE, TRACE.slice(0, 20), sim.load_trace(TRACE.save(tmp_path / "t")), TRACE.draw(1)):
        with pytest.raises(ValueError, match="read-only"):
            getattr(trace, column)[0] = 1
        with pytest.raises(FrozenInstanceError):
            setattr(trace, column, None)


def test_the_arrays_that_a_trace_was_made_from_stay_the_callers() -> None:
    function, arrival_s, duration_s = np.array([0, 1]), np.array([0.0, 1.0]), np.array([1.0, 1.0])
    trace = sim.Trace.from_arrays(function, arrival_s, duration_s)
    arrival_s[0] = 0.5
    function[0] = duration_s[0] = 7
    assert (trace.arrival_s[0], trace.function[0], trace.duration_s[0]) == (0.0, 0, 1.0)


# Errors


def simulate(*arguments: object, **options: object) -> Callable[[], object]:
    return lambda: sim.simulate(*arguments, **options)


def compare(*arguments: object, **options: object) -> Callable[[], object]:
    return lambda: sim.compare(*arguments, **options)


FIXED = sim.policies.FixedWindow(60)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (simulate(TRACE, sim.policies.FixedWindow), "policy must be a KeepAlive (an instance, not the class), not"),
        (simulate(TRACE, 600), "policy must be a KeepAlive, not 600"),
        (simulate(FIXED, TRACE), "trace must be a Trace, not FixedWindow(window_s=60)"),
        (simulate("traces/default", FIXED), "trace must be a Trace, not 'traces/default'"),
        (simulate(TRACE, FIXED, "default"), "platform must be a Platform, not 'default'"),
        (simulate(TRACE, FIXED, sim.Platform), "platform must be a Platform (an instance, not the class), not"),
        (simulate(TRACE, FIXED, 0), "platform must be a Platform, not 0"),
        (simulate(TRACE, FIXED, price="aws_lambda_x86"), "price must be a PriceBook, not 'aws_lambda_x86'"),
        (simulate(TRACE, FIXED, price=0), "price must be a PriceBook, not 0"),
        (simulate(TRACE, FIXED, provider=sim.load_pricing()), "provider must be a ProviderPrice, not PriceBook"),
        (simulate(TRACE, FIXED, engine="warp"), "there is no engine 'warp'"),
        (simulate(TRACE, FIXED, seed=1.5), "seed must be a whole number, not 1.5"),
        (simulate(TRACE, FIXED, seed=True), "seed must be a whole number, not True"),
        (simulate(TRACE, FIXED, seed=None), "seed must be a whole number, not None"),
        (simulate(TRACE, FIXED, replication="1"), "replication must be a whole number >= 0, not '1'"),
        (simulate(TRACE, FIXED, warm_up_s=-1), "the measured span must satisfy 0 <= warm_up_s <= horizon_s"),
        (simulate(TRACE, FIXED, warm_up_s=401), "the measured span must satisfy 0 <= warm_up_s <= horizon_s"),
        (simulate(TRACE, FIXED, horizon_s=np.inf), "the measured span must satisfy 0 <= warm_up_s <= horizon_s"),
        (simulate(TRACE, FIXED, horizon_s=np.nan), "horizon_s must be a number of seconds, not nan"),
        (compare(TRACE, [FIXED]), "policies must be a Mapping, not [FixedWindow(window_s=60)]"),
        (compare(TRACE, FIXED), "policies must be a Mapping, not FixedWindow(window_s=60)"),
        (compare(TRACE, {}), "there is no policy to compare"),
        (compare(TRACE, {"a": FIXED, "b": sim.policies.KeepForever}), "policies['b'] must be a KeepAlive (an inst"),
        (compare(TRACE, {"a": FIXED}, "default"), "platform must be a Platform, not 'default'"),
        (compare("traces/default", {"a": FIXED}), "trace must be a Trace, not 'traces/default'"),
        (compare(TRACE, {"a": FIXED}, replications=0), "replications.min must be a whole number >= 1, not 0"),
        (compare(TRACE, {"a": FIXED}, replications=2.0), "replications must be a whole number, not 2.0"),
        (lambda: sim.policies.FixedWindow("60"), "window_s must be a number of seconds >= 0, not '60'"),
        (lambda: sim.policies.FixedWindow(-1), "window_s must be a number of seconds >= 0, not -1"),
        (lambda: sim.policies.FixedWindow(np.nan), "window_s must be a number of seconds >= 0, not nan"),
        (lambda: sim.load_platform("nope"), "there is no platform called 'nope'"),
        (sim.Platform, "a platform needs either start (a model of phases) or start_s (seconds)"),
        (lambda: sim.Platform(start_s=-1.0), "start_s must be a finite number of seconds >= 0"),
    ],
)
def test_mistakes_are_met_with_advice(call: Callable[[], object], message: str) -> None:
    with pytest.raises(sim.ConfigError) as error:
        call()
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sim.load_trace("nowhere"), "nowhere: there is no such file or folder"),
        (lambda: sim.Trace.from_arrays(["f"], [np.nan], 1.0), "row 0, column 'arrival_s'"),
        (lambda: sim.Trace.from_arrays(["f", "g"], [1.0], 1.0), "they must be equally long"),
        (lambda: sim.Trace.from_arrays([5], [1.0], 1.0, functions=pd.DataFrame({"name": ["f"]})), "function 5 among 1"),
    ],
)
def test_traces_that_cannot_be(call: Callable[[], object], message: str) -> None:
    with pytest.raises(sim.TraceError) as error:
        call()
    assert message in str(error.value)


class Answering(ROLE):
    """A policy that answers whatever a test wants."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def windows_s(self, future: object) -> object:
        assert future is None  # it did not ask to see the trace
        return self.answer


@pytest.mark.parametrize("answer", [-1.0, np.nan, "soon", None, [1.0], [1.0, 2.0, -3.0], [[1.0, 2.0, 3.0]]])
def test_decisions_that_no_platform_can_apply(answer: object) -> None:
    with pytest.raises(sim.PolicyError, match="Answering returned"):
        sim.simulate(TRACE, Answering(answer))


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        ("unit_window_s", np.nan, "unit_window_s must be a number of seconds >= 0, not nan"),
        ("unit_window_s", -5, "unit_window_s must be a number of seconds >= 0, not -5"),
        ("unit_window_s", "a", "unit_window_s must be a number of seconds >= 0, not 'a'"),
        ("calls", 5, "calls() must return a Pings or None, not 5"),
        ("floor", (0.0, 1), "floor() must return a Floor or None, not (0.0, 1)"),
        ("rule", "x", "rule() must return a Rule or None, not 'x'"),
        ("rule", Rule, "rule() must return a Rule (an instance, not the class) or None, not <class"),
    ],
)
def test_answers_that_no_platform_can_apply(method: str, answer: object, message: str) -> None:
    policy = type("Mine", (Answering,), {method: lambda self: answer})(600.0)
    for call in (simulate(TRACE, policy), compare(TRACE, {"mine": policy})):
        with pytest.raises(sim.PolicyError) as error:
            call()
        assert str(error.value).removeprefix("mine: ").startswith("Mine.")  # a comparison says of which policy
        assert message in str(error.value)


def test_a_rule_learns_by_unit_or_app() -> None:
    policy = type("Mine", (Answering,), {"learns_by": "foo"})(600.0)
    with pytest.raises(sim.PolicyError, match="Mine: learns_by must be 'unit' or 'app', not 'foo'"):
        sim.simulate(TRACE, policy)


def test_a_policy_without_a_decision() -> None:
    with pytest.raises(sim.PolicyError, match="defines neither"):
        sim.simulate(TRACE, sim.policies.KeepAlive())


def test_every_error_a_user_can_mend_is_of_one_kind() -> None:
    assert all(issubclass(e, sim.KeepwarmError) for e in (sim.ConfigError, sim.TraceError, sim.PolicyError))
    with pytest.raises(sim.TraceError) as error:
        sim.Trace.from_arrays(["f"], [-1.0], 1.0)
    assert (error.value.row, error.value.column) == (0, "arrival_s")


def test_a_changed_copy_of_a_trace_is_a_trace() -> None:
    slow = replace(TRACE, duration_s=TRACE.duration_s * 2)
    platform = sim.load_platform("constant_start")  # no handler to load before the calls
    busy = [sim.simulate(trace, FIXED, platform, horizon_s=1000).summary["busy_gb_s"] for trace in (slow, TRACE)]
    assert busy[0] == 2 * busy[1]
    assert slow.content_hash() != TRACE.content_hash()


def test_what_takes_long_to_import_waits_until_it_is_used() -> None:
    """matplotlib takes half a second and 26 MB, scipy.stats a second and 40 MB; the others are not always installed."""
    code = """import sys, sim.cli
print(*sys.modules)
import sim.cli_run, sim.cli_timeline, sim.cli_traces.look, sim.cli_traces.publishers, sim.cli_tune
print(*sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, then = map(set, map(str.split, done.stdout.splitlines()))
    late = {"matplotlib", "scipy.stats", "numba", "optuna", "ray", "jinja2"}
    assert first.isdisjoint(
        late | {"sim.cli_run", "sim.cli_tune", "sim.cli_traces", "sim.cli_timeline", "sim.cli_curve"}
    )
    assert then.isdisjoint(late)
