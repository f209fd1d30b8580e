"""The compiled engine on real and crowded traces, what it refuses, and what it takes to run it."""

import subprocess
import sys
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from agreement import assert_agree, assert_same_sums

import sim
from sim import policies
from sim.core.distributions import Exponential
from sim.core.errors import ConfigError, PolicyError
from sim.engine import engines
from sim.engine.compiled import coverage
from sim.engine.compiled.order import quantiles
from sim.platform.platform import Platform
from sim.policies.keepalive.rule import Decision, Rule, State

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles

COVERED = [
    policies.NoKeepAlive(), policies.FixedWindow(600), policies.KeepForever(), policies.Clairvoyant(),
    policies.HybridHistogram(), policies.HybridHistogram(learns_by="app"), policies.AdaptiveWindow(),
    policies.SkiRental(), policies.SkiRental(randomised=True), policies.ProvisionedFloor(), policies.PingWarmer(),
]  # fmt: skip
TRACE = sim.Trace.from_arrays(["f", "g", "f"], [0.0, 10.0, 400.0], 1.0)


@dataclass(frozen=True)
class Own(policies.KeepAlive):
    """A user's rule: keep for a multiple of the mean gap so far, and prewarm half of it later."""

    factor: float = 2.0

    def rule(self) -> Rule:
        factor = self.factor

        def observe(state: State, gap_s: float) -> None:
            state[0] += 1
            state[1] += gap_s

        def decide(state: State, u: float) -> Decision:
            if not state[0]:
                return 60, inf, 0
            mean_s = factor * state[1] / state[0]
            return mean_s, 1.5 * mean_s, mean_s

        return Rule((0.0, 0.0), observe, decide)


@dataclass(frozen=True)
class Nonsense(policies.KeepAlive):
    def rule(self) -> Rule:
        def observe(state: State, gap_s: float) -> None:
            pass

        def decide(state: State, u: float) -> Decision:
            return -1.0, inf, 0.0

        return Rule((), observe, decide)


@dataclass(frozen=True)
class Raising(policies.KeepAlive):
    """Its rule looks beyond its state, when it observes or when it decides."""

    observing: bool

    def rule(self) -> Rule:
        place = 1 if self.observing else 0
        other = 1 - place

        def observe(state: State, gap_s: float) -> None:
            state[place] += gap_s

        def decide(state: State, u: float) -> Decision:
            return 60.0 + state[other], inf, 0.0

        return Rule((0.0,), observe, decide)


@dataclass(frozen=True)
class Interpreted(policies.KeepAlive):
    """Its rule is none that can be compiled."""

    def rule(self) -> Rule:
        def observe(state: State, gap_s: float) -> None:
            state[0] = float(str(gap_s).encode()[0])

        def decide(state: State, u: float) -> Decision:
            return 60.0, inf, 0.0

        return Rule((0.0,), observe, decide)


@pytest.mark.parametrize("policy", [*COVERED, Own()], ids=repr)
def test_the_embedded_trace(policy: policies.KeepAlive) -> None:
    trace, platform = sim.load_trace("traces/default"), sim.load_platform("default")
    assert_agree(trace, policy, platform)
    assert_same_sums(trace.slice(0, 7200), policy, platform, warm_up_s=600.0, horizon_s=6000.0)


@pytest.mark.xdist_group("azure2019")
@pytest.mark.parametrize("policy", COVERED, ids=repr)
def test_a_real_trace(shared: Path, policy: policies.KeepAlive) -> None:
    trace = sim.load_trace(shared / "traces" / "azure2019_100f_8h", format="azure2019", arrivals="uniform")
    assert_agree(trace, policy, sim.load_platform("default"))


def crowd(calls: int) -> sim.Trace:
    """Thousands of calls at a time, many of them at one instant."""
    drawn = np.random.default_rng(5)
    arrival_s = np.floor(drawn.random(calls) * 40) / 4
    table = pd.DataFrame({"name": ["a", "b", "c"], "app": ["x", "x", "y"]})
    return sim.Trace.from_arrays(drawn.integers(0, 3, calls), arrival_s, drawn.exponential(5.0, calls), functions=table)


@pytest.mark.parametrize("policy", [policies.FixedWindow(3.0), policies.HybridHistogram(2.0, 20.0, learns_by="app")])
def test_thousands_of_calls_overlap(policy: policies.KeepAlive) -> None:
    for platform in (Platform(start_s=0.25), Platform(start_s=1.0, isolation="app", max_lifetime_s=Exponential(4.0))):
        assert_agree(crowd(6000), policy, platform)
    assert_agree(crowd(2000), policy, Platform(start_s=0.25, instance_choice="least_recently_idle"))


@pytest.mark.parametrize(
    ("policy", "options", "said"),
    [
        (policies.FixedWindow(), {"concurrency": 2}, "concurrency above 1"),
        (policies.FixedWindow(), {"binding": "late"}, "binding=late"),
        (policies.FixedWindow(), {"max_wait_s": 1.0}, "max_wait_s"),
        (policies.FixedWindow(), {"max_instances": 5}, "max_instances "),
        (policies.FixedWindow(), {"max_instances_per_unit": 5, "queue_limit": 2}, "queue_limit"),
        (policies.FixedWindow(), {"routers": 2}, "several routers"),
        (policies.FixedWindow(), {"start_failure_probability": 0.1}, "start_failure_probability"),
        (policies.Scheduled(), {}, "a floor that changes, is of some functions, or is served first, as Scheduled"),
        (policies.StemCells(), {}, "generic cells"),
        (policies.Knative(), {}, "a scaling policy"),
        (policies.FunctionIdleWindow(), {}, "a window of a whole unit"),
        (policies.LambdaScaling(), {}, "an admission"),
    ],
)
def test_what_is_not_covered_is_named_and_auto_takes_the_reference(
    policy: policies.KeepAlive, options: dict[str, object], said: str
) -> None:
    platform = Platform(start_s=0.5, **options)
    with pytest.raises(ConfigError, match=f"does not cover .*{said}"):
        sim.simulate(TRACE, policy, platform, engine="compiled")
    assert sim.simulate(TRACE, policy, platform, engine="auto").about["engine"] == "simpy"
    assert sim.simulate(TRACE, policies.FixedWindow(), engine="auto").about["engine"] == "compiled"


def test_a_rule_that_decides_nonsense_is_refused_in_the_words_of_the_reference() -> None:
    for engine in ("simpy", "compiled"):
        with pytest.raises(PolicyError, match=r"Nonsense: its rule decided \(-1.0, inf, 0.0\)"):
            sim.simulate(TRACE, Nonsense(), engine=engine)


@pytest.mark.parametrize("observing", [False, True])
def test_a_rule_that_raises_is_noticed(observing: bool) -> None:
    with pytest.raises(IndexError):
        sim.simulate(TRACE, Raising(observing), engine="simpy")
    with pytest.raises(PolicyError, match="Raising: its rule raised an error"):
        sim.simulate(TRACE, Raising(observing), engine="compiled")


def test_a_rule_that_cannot_be_compiled_is_left_to_the_reference() -> None:
    with pytest.raises(ConfigError, match="cannot compile the rule of Interpreted"):
        sim.simulate(TRACE, Interpreted(), engine="compiled")
    assert sim.simulate(TRACE, Interpreted(), engine="auto").about["engine"] == "simpy"


def test_the_engine_is_named_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "is_installed", lambda: False)
    with pytest.raises(ConfigError, match=r"pip install 'keepwarm\[compiled\]'"):
        sim.simulate(TRACE, policies.FixedWindow(), engine="compiled")
    assert sim.simulate(TRACE, policies.FixedWindow(), engine="auto").about["engine"] == "simpy"
    assert not coverage.why_not(TRACE, policies.FixedWindow(), Platform(start_s=0.5))


def test_there_is_no_other_engine() -> None:
    with pytest.raises(ConfigError, match="there is no engine 'rust'; there is simpy, compiled, auto"):
        sim.simulate(TRACE, policies.FixedWindow(), engine="rust")


def test_nothing_compiles_on_import() -> None:
    said = subprocess.run([sys.executable, "-c", "import sim, sys; print('numba' in sys.modules)"], capture_output=True,
                          text=True, check=True)  # fmt: skip
    assert said.stdout.strip() == "False"


def test_where_nothing_can_be_written_code_is_made_anew_and_that_is_said() -> None:
    code = (
        "import numba, warnings\n"
        "def no_place(*_, **__): raise RuntimeError('no locator available')\n"
        "numba.core.caching.CacheImpl.__init__ = no_place\n"
        "with warnings.catch_warnings(record=True) as said:\n"
        "    warnings.simplefilter('default')\n"
        "    from sim.engine.compiled.order import quantiles\n"
        "import numpy as np\n"
        "print(quantiles([np.arange(5.0)], [0.5]), str(said[0].message)[:44])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[2.0] compiled code cannot be kept: neither keepwa"


@pytest.mark.parametrize("values", [[0.0], [1.0, 2.0], [3.0] * 1000, np.random.default_rng(1).lognormal(0, 2, 5001)])
def test_quantiles_are_numpys(values: np.ndarray) -> None:
    shares = [0.0, 0.5, 0.95, 0.99, 0.999, 1.0]
    numpys = [float(np.quantile(values, share)) for share in shares]
    assert quantiles([np.array(values)], shares) == quantiles(np.array_split(values, 3), shares) == numpys
    assert np.isnan(quantiles([np.empty(0)], [0.5])).all()


def test_a_trace_without_calls_or_functions() -> None:
    for trace in (sim.Trace.from_arrays([], [], []), replace(TRACE.slice(300, 400), horizon_s=100.0)):
        for policy in (policies.FixedWindow(), policies.PingWarmer(), policies.ProvisionedFloor(2), Own()):
            assert_agree(trace, policy, Platform(start_s=0.5))
