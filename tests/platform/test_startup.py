"""Cold starts: what phases come to, that draws are one function of (function, k), and what is refused."""

import math
import pickle
from itertools import accumulate, pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.core.distributions import Constant, Exponential, LogNormal, Quantiles, look_up
from sim.core.errors import ConfigError
from sim.core.random import function_keys, stream, uniform
from sim.platform.startup import (
    PHASES,
    Choose,
    ConstantStart,
    Draw,
    PackageWork,
    PerMemoryMb,
    PerPackageMb,
    PhasedStart,
    StartDraws,
    StartModel,
    Sum,
    totals_s,
)
from sim.workload.functions import function_table

FUNCTIONS = function_table(
    pd.DataFrame(
        {
            "name": ["py", "node", "image", "cs", "empty"],
            "runtime": ["python3.12", "nodejs22", "nodejs22", "dotnet8", "python3.12"],
            "package_mb": [1.0, 14.0, 100.0, 2.5, 0.0],
            "package_kind": ["zip", "zip", "image", "zip", "zip"],
            "memory_mb": [128.0, 256.0, 512.0, 1024.0, 4096.0],
            "vpc": [False, True, False, False, True],
        }
    )
)
KEYS = function_keys(list(FUNCTIONS["owner"]), list(FUNCTIONS["app"]), list(FUNCTIONS["name"]))
MODEL = PhasedStart(
    {
        "runtime": Sum(
            [
                Choose("runtime", {"python3.12, python3.13": LogNormal(0.1, 0.3)}, otherwise=Exponential(0.4)),
                Choose("runtime", {"dotnet8": PerMemoryMb(90, up_to_mb=512)}, otherwise=0.0),
            ]
        ),
        "schedule": 0.05,
        "network": Choose("vpc", {"true": Draw(Quantiles((0, 1), (0.2, 0.3))), "false": 0}),
        "download": Choose("package_kind", {"zip": PerPackageMb(LogNormal(0.1, 0.2)), "image": 0.25}),
    }
)


def bind(model: StartModel, seed: int = 0, replication: int = 0, **options: str) -> StartDraws:
    return model.bind(FUNCTIONS, seed, replication, *KEYS, **options)


def only(phase: object, **columns: object) -> tuple[float, ...]:
    """The first start of a single function whose one phase is `phase`."""
    functions = function_table(pd.DataFrame([{"name": "f", **columns}]))
    return PhasedStart({"runtime": phase}).bind(functions, 0, 0, *function_keys([""], ["f"], ["f"])).draw(0, 0)


# The phases


def test_phases_come_in_their_own_order() -> None:
    assert PHASES == ("schedule", "create", "download", "prepare", "mount", "network", "runtime", "handler")
    assert MODEL.phase_names == ("schedule", "download", "network", "runtime")
    assert bind(MODEL).phases == MODEL.phase_names


def test_a_constant_start_has_one_phase() -> None:
    draws = bind(ConstantStart(0.25))
    assert (draws.phases, draws.draw(3, 17), draws.is_random) == (("start",), (0.25,), False)
    assert draws.draw_many(np.array([0, 1]), np.array([0, 5])).tolist() == [[0.25], [0.25]]


def test_a_number_is_a_constant_and_a_distribution_is_drawn_from() -> None:
    assert only(0.1) == only(Draw(0.1)) == only(Constant(0.1)) == (0.1,)
    assert only(Exponential(1.0)) == only(Draw(Exponential(1.0)))


def test_download_grows_with_the_package() -> None:
    assert only(PerPackageMb(0.5), package_mb=3.0) == (1.5,)
    assert only(PerPackageMb(LogNormal(0.5, 0.5)), package_mb=3.0) == (1.5,)
    assert only(PerPackageMb(Exponential(1.0)), package_mb=0.0) == (0.0,)


def test_memory_helps_up_to_a_point() -> None:
    assert only(PerMemoryMb(385.0), memory_mb=128.0) == (385.0 * (1 / 128),)
    assert only(PerMemoryMb(512.0, up_to_mb=1024), memory_mb=4096.0) == (0.5,)
    assert only(PerMemoryMb(512.0, from_mb=128), memory_mb=4.0) == (4.0,)


def test_work_on_a_package_grows_with_it_and_shrinks_with_memory() -> None:
    assert only(PackageWork(2.0), package_mb=14.0, memory_mb=128.0) == (14.0 * (1 / 128) * 2.0,)
    assert only(PackageWork(2.0, up_to_mb=1024), package_mb=0.0, memory_mb=4096.0) == (0.0,)


@pytest.mark.parametrize(
    ("columns", "seconds"),
    [
        ({"runtime": "go"}, 1.0),
        ({"runtime": "rust"}, 1.0),
        ({"runtime": "java21", "package_kind": "image"}, 3.0),
        ({"runtime": "java21", "package_kind": "zip"}, 2.0),
        ({"runtime": "cobol"}, 4.0),
    ],
)
def test_choices_nest(columns: dict[str, str], seconds: float) -> None:
    java = Choose("package_kind", {"zip": 2.0, "image": 3.0})
    assert only(Choose("runtime", {"go, rust": 1.0, "java21": java}, otherwise=4.0), **columns) == (seconds,)


def test_truth_is_spelt_as_in_yaml() -> None:
    choose = Choose("vpc", {"true": 1.0, "false": 2.0})
    assert (only(choose, vpc=True), only(choose, vpc=False)) == ((1.0,), (2.0,))
    assert only(Choose("vpc", {True: 1.0, False: 2.0}), vpc=True) == (1.0,)  # type: ignore[dict-item]  # unquoted


def test_a_sum_adds_left_to_right() -> None:
    assert only(Sum([0.1, 0.2, 0.3])) == ((0.1 + 0.2) + 0.3,)
    expected = only(Exponential(1.0))[0]
    assert only(Sum([0.5, Exponential(1.0), 0.25])) == (0.75 + expected,)


def test_totals_are_summed_left_to_right() -> None:
    phase_s = bind(MODEL).draw_many(np.repeat(np.arange(5), 50), np.tile(np.arange(50), 5))
    assert totals_s(phase_s).tolist() == [list(accumulate(row))[-1] for row in phase_s.tolist()]
    assert totals_s(np.array([[1.0, 1e-16, 1e-16]])).tolist() == [1.0]


# The draws


@given(st.integers(), st.integers(0, 1000), st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**40)), min_size=1))
def test_many_draws_have_the_bits_of_single_ones(seed: int, replication: int, starts: list[tuple[int, int]]) -> None:
    draws = bind(MODEL, seed, replication)
    function, k = (np.array(column) for column in zip(*starts, strict=True))
    singly = [draws.draw(f, i) for f, i in starts]
    assert draws.draw_many(function, k).tolist() == [list(row) for row in singly]
    assert all(type(seconds) is float for row in singly for seconds in row)


@given(st.integers(0, 4), st.integers(0, 10_000))
def test_a_draw_is_the_documented_expression(function: int, k: int) -> None:
    draws = bind(MODEL, 3, 1)
    for p, seconds in enumerate(draws.draw(function, k)):
        table, scale, offset = draws.table[function, p], draws.scale[function, p], draws.offset[function, p]
        if table < 0:
            assert seconds == offset
            continue
        key = stream(3, 1, f"start.{draws.phases[p]}", int(KEYS[0][function]), int(KEYS[1][function]))
        assert seconds == offset + scale * look_up(draws.tables[table], np.array([uniform(key, k)]))[0]


def test_no_draws_at_all() -> None:
    nothing = np.empty(0, np.int64)
    assert bind(MODEL).draw_many(nothing, nothing).shape == (0, 4)


def test_asking_in_another_order_changes_nothing() -> None:
    one, other = bind(MODEL), bind(MODEL)
    forward = [one.draw(f, k) for f in range(5) for k in range(5)]
    backward = [other.draw(f, k) for f in reversed(range(5)) for k in reversed(range(5))]
    assert forward == backward[::-1]


def test_a_function_draws_the_same_in_any_company() -> None:
    alone = MODEL.bind(FUNCTIONS.iloc[[1]].reset_index(drop=True), 0, 0, KEYS[0][1:2], KEYS[1][1:2])
    assert [alone.draw(0, k) for k in range(20)] == [bind(MODEL).draw(1, k) for k in range(20)]


def test_a_phase_draws_the_same_whatever_the_other_phases_are() -> None:
    without = PhasedStart({name: phase for name, phase in MODEL.phases.items() if name != "network"})
    assert [bind(without).draw(1, k)[-1] for k in range(9)] == [bind(MODEL).draw(1, k)[-1] for k in range(9)]


def test_seeds_replications_and_purposes_differ() -> None:
    bound = [bind(MODEL), bind(MODEL, seed=1), bind(MODEL, replication=1), bind(MODEL, purpose="prewarm")]
    assert len({draws.draw(1, 0) for draws in bound}) == 4


def test_phases_are_independent() -> None:
    same = PhasedStart({"create": Exponential(1.0), "runtime": Exponential(1.0)})
    drawn = bind(same).draw_many(np.zeros(20_000, np.int64), np.arange(20_000))
    assert abs(np.corrcoef(drawn.T)[0, 1]) < 4 / np.sqrt(20_000)


def test_what_is_constant_for_a_function_needs_no_number() -> None:
    draws = bind(MODEL)
    by_name = {name: draws.table[:, p].tolist() for p, name in enumerate(draws.phases)}
    assert by_name["schedule"] == [-1] * 5
    assert [table >= 0 for table in by_name["download"]] == [True, True, False, True, False]
    assert [table >= 0 for table in by_name["network"]] == [False, True, False, False, True]
    assert all(table >= 0 for table in by_name["runtime"])


def test_tables_are_there_for_what_is_used_only() -> None:
    draws = PhasedStart({"runtime": Choose("runtime", {"cobol": LogNormal(1, 2)}, otherwise=Exponential(1.0))})
    assert len(bind(draws).tables) == 1


def test_randomness_is_known() -> None:
    assert MODEL.is_random
    assert bind(MODEL).is_random
    assert not PhasedStart({"create": 1.0, "runtime": LogNormal(1.0, 1.0)}).is_random
    rare = PhasedStart({"runtime": Choose("runtime", {"cobol": Exponential(1.0)}, otherwise=1.0)})
    assert (rare.is_random, bind(rare).is_random) == (True, False)


def test_models_are_values_that_pickle() -> None:
    copy = pickle.loads(pickle.dumps(MODEL))
    assert copy == MODEL
    assert bind(copy).draw(0, 0) == bind(MODEL).draw(0, 0)


# What is refused


@pytest.mark.parametrize(
    ("nonsense", "words"),
    [
        (lambda: ConstantStart(-1.0), "start_s"),
        (lambda: ConstantStart(math.nan), "start_s"),
        (lambda: ConstantStart(math.inf), "start_s"),
        (lambda: ConstantStart(True), "start_s"),
        (lambda: PhasedStart({}), "phases"),
        (lambda: PhasedStart({"boot": 1.0}), "unknown start phase 'boot'; a start has schedule, create"),
        (lambda: PhasedStart({"create": "fast"}), "'create'.*'fast'"),
        (lambda: PhasedStart({"create": True}), "'create'.*True"),
        (lambda: PhasedStart({"create": -1.0}), "'create'.*-1"),
        (lambda: Draw("x"), "'x'"),
        (lambda: PerPackageMb(None), "None"),
        (lambda: PerMemoryMb(385.0, up_to_mb=0), "up_to_mb"),
        (lambda: PerMemoryMb(385.0, up_to_mb=math.nan), "up_to_mb"),
        (lambda: PerMemoryMb(385.0, up_to_mb=128, from_mb=256), "from_mb"),
        (lambda: PackageWork(2.0, from_mb=-1.0), "from_mb"),
        (lambda: Choose("runtme", {"go": 1.0}), "'runtme'.*runtime"),
        (lambda: Choose("memory_mb", {"128": 1.0}), "'memory_mb'"),
        (lambda: Choose("runtime", ["go"]), "mapping"),
        (lambda: Choose("runtime", {"go, rust": 1.0, "rust": 2.0}), "rust: two cases"),
        (lambda: Choose("runtime", {"go": "fast"}), "runtime go"),
        (lambda: Choose("runtime", {"go": 1.0}, otherwise="fast"), "otherwise"),
        (lambda: Sum([]), "parts"),
        (lambda: Sum("ab"), "parts"),
        (lambda: Sum([1.0, None]), "part 1"),
    ],
)
def test_nonsense_is_refused(nonsense, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        nonsense()


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (Choose("runtime", {"go": 1.0, "rust": 1.0}), "'create': no case for runtime 'python3.12'.*go, rust"),
        (Choose("package_kind", {"zip": Choose("vpc", {"true": 1.0})}, 1.0), "'create': no case for vpc 'false'"),
        (Sum([Exponential(1.0), LogNormal(1, 2)]), "'create': .*one random part"),
    ],
)
def test_a_function_that_is_not_provided_for_is_an_error_that_names_the_phase(phase: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        bind(PhasedStart({"create": phase}))


def test_two_random_parts_are_fine_if_no_function_has_both() -> None:
    either = [Choose("vpc", {value: Exponential(1.0)}, otherwise=0.0) for value in ("true", "false")]
    assert bind(PhasedStart({"create": Sum(either)})).is_random


def test_a_column_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"'runtime': .*no column 'package_mb'"):
        PhasedStart({"runtime": PerPackageMb(1.0)}).resolve(FUNCTIONS.drop(columns="package_mb"))


# The default platform (the fit itself: docs/startup.md)


def default_totals_s(**columns: object) -> np.ndarray:
    """Whole cold starts, the load of the handler among them; 428 MB stand for the client's seven sizes of memory."""
    functions = function_table(pd.DataFrame([{"name": "f", "package_mb": 0.001, "memory_mb": 428.0, **columns}]))
    model = sim.load_platform("default").start
    assert isinstance(model, PhasedStart)
    draws = model.bind(functions, 0, 0, *function_keys([""], ["f"], ["f"]))
    return totals_s(draws.draw_many(np.zeros(20_000, np.int64), np.arange(20_000)))


@pytest.fixture(scope="module")
def javascript_s() -> np.ndarray:
    return default_totals_s(runtime="nodejs22")


@pytest.mark.parametrize(
    ("columns", "client_s"),
    [
        ({"runtime": "nodejs22.x"}, 0.264),
        ({"runtime": "python3.12"}, 0.215),
        ({"runtime": "nodejs22", "vpc": True}, 0.497),
        ({"runtime": "nodejs22", "package_mb": 14.0}, 1.696),
        ({"runtime": "nodejs22", "package_mb": 35.0}, 3.875),
        ({"runtime": "nodejs22", "package_kind": "image"}, 0.818),
        ({"runtime": "dotnetcore3.1", "memory_mb": 128.0}, 3.284),
        ({"runtime": "dotnetcore3.1", "memory_mb": 8192.0}, 0.517),
    ],
)
def test_default_medians_are_what_a_client_saw_less_a_warm_call(columns: dict[str, object], client_s: float) -> None:
    assert np.median(default_totals_s(**columns)) + 0.025 == pytest.approx(client_s, rel=0.07)


def test_an_image_starts_equally_fast_at_any_size() -> None:
    small, big = (default_totals_s(package_kind="image", package_mb=mb) for mb in (1.0, 5120.0))
    assert small.tolist() == big.tolist()


def test_a_runtime_that_is_not_named_starts_like_node(javascript_s: np.ndarray) -> None:
    assert default_totals_s(runtime="Custom").tolist() == javascript_s.tolist()


def test_compiled_languages_start_faster_than_interpreted_than_java() -> None:
    medians = [np.median(default_totals_s(runtime=name)) for name in ("rust", "go", "python3.12", "nodejs22", "java21")]
    assert all(a < b for a, b in pairwise(medians))


def test_init_is_the_measured_one(shared) -> None:
    table = pd.read_csv(shared / "measurements" / "lambda_init.csv")
    rows = table[(table["runtime"] == "python312") & (table["arch"] == "x86_64") & (table["package"] == "zip")]
    draws = sim.load_platform("default").start.bind(FUNCTIONS, 0, 0, *KEYS)
    init_s = draws.draw_many(np.zeros(50_000, np.int64), np.arange(50_000))[:, draws.phases.index("runtime")]
    for p, column in ((0.5, "init_p50_ms"), (0.9, "init_p90_ms"), (0.99, "init_p99_ms")):
        assert np.quantile(init_s, p) == pytest.approx(rows[column].median() / 1000, rel=0.03)
