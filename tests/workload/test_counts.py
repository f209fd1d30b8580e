import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sim import TraceError, load_trace
from sim.core.random import function_keys, stream, uniforms
from sim.workload import counts as module
from sim.workload.counts import CountSource, Recipe
from sim.workload.durations import DurationStatistics, fit_lognormal
from sim.workload.functions import function_table

QUANTILES = np.array([[0.0, 0.01, 0.1, 0.2, 0.4, 2.0, 5.0], [1.0] * 7, [0.0] * 7])
cells = st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 2)), st.integers(1, 40), max_size=12)
recipes = st.builds(Recipe, st.sampled_from(["even", "uniform", "poisson"]),
                    st.sampled_from(["mean", "percentiles", "lognormal"]), st.integers(-5, 5))  # fmt: skip


def source(table, recipe=None, spans=((0, 6),), names="abc") -> CountSource:
    keys = sorted(table)
    function, minute = (np.array([key[i] for key in keys], np.int32) for i in (1, 0))
    known = ["abc".index(name) for name in names]
    statistics = DurationStatistics(np.array([0.3, 1.0, 0.0])[known], QUANTILES[known])
    functions = function_table(pd.DataFrame({"name": list(names), "owner": "o"}))
    count = np.array([table[key] for key in keys], np.int64)
    return CountSource(function, minute, count, functions, statistics, spans, recipe or Recipe())


def rows(trace, name):
    chosen = trace.function == trace.functions["name"].tolist().index(name)
    return np.column_stack((trace.arrival_s[chosen], trace.duration_s[chosen]))


def test_even_arrivals_are_exactly_the_formula():
    trace = source({(2, 0): 3, (2, 1): 1, (0, 1): 2}).draw(0, {})
    assert trace.arrival_s.tolist() == [15.0, 45.0, 60.0 * 2 + 60.0 * 0.5 / 3, 150.0, 150.0, 60.0 * 2 + 60.0 * 2.5 / 3]
    assert trace.function.tolist() == [1, 1, 0, 0, 1, 0]
    assert trace.duration_s.tolist() == [1.0, 1.0, 0.3, 0.3, 1.0, 0.3]
    assert trace.horizon_s == 360.0


@given(cells, st.sampled_from([1, 50, 1 << 17]))
def test_order_is_that_of_a_stable_sort_of_functions_then_calls(table, batch):
    made = source(table)
    expected = sorted(
        (60.0 * m + 60.0 * (j + 0.5) / k, f, j) for (m, f), k in table.items() for j in range(k)
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_CALLS", batch)
        trace = made.draw(0, {})
    assert trace.arrival_s.tolist() == [row[0] for row in expected]
    assert trace.function.tolist() == [row[1] for row in expected]


@given(cells, recipes, st.integers(0, 3))
def test_calls_stay_in_their_minute(table, recipe, replication):
    trace = source(table, recipe).draw(replication, {})
    minute = (trace.arrival_s // 60).astype(int)
    found = {(m, f): int(((minute == m) & (trace.function == f)).sum()) for m, f in table}
    assert sum(found.values()) == len(trace)
    assert recipe.arrivals == "poisson" or found == table
    assert (np.diff(trace.arrival_s) >= 0).all()
    assert ((trace.duration_s >= 0) & np.isfinite(trace.duration_s)).all()


@given(cells, recipes, st.sampled_from([1, 7, 1 << 17]))
def test_batches_change_nothing(table, recipe, batch):
    made = source(table, recipe)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_CALLS", batch)
        assert made.draw(1, {}).content_hash() == pickle.loads(pickle.dumps(made)).draw(1, {}).content_hash()


@given(cells, recipes)
def test_choosing_functions_leaves_the_draws_of_the_rest(table, recipe):
    whole = source(table, recipe).draw(2, {})
    part = source({(m, f // 2): k for (m, f), k in table.items() if f != 1}, recipe, names="ac").draw(2, {})
    for name in "ac":
        assert rows(whole, name).tolist() == rows(part, name).tolist()


@given(cells, recipes)
def test_choosing_minutes_leaves_the_draws_of_the_rest(table, recipe):
    whole = source(table, recipe, ((100, 6),)).draw(2, {})
    part = source({(m - 3, f): k for (m, f), k in table.items() if m >= 3}, recipe, ((103, 3),)).draw(2, {})
    late = whole.arrival_s >= 180
    np.testing.assert_allclose(part.arrival_s, whole.arrival_s[late] - 180, atol=1e-10)
    assert part.duration_s.tolist() == whole.duration_s[late].tolist()


def test_a_gap_between_days_leaves_the_draws_of_both():
    recipe = Recipe("uniform", "percentiles")
    both = source({(0, 0): 4, (1, 0): 4}, recipe, ((7, 1), (1447, 1))).draw(0, {})
    second = source({(0, 0): 4}, recipe, ((1447, 1),)).draw(0, {})
    np.testing.assert_allclose(both.arrival_s[4:] - 60, second.arrival_s, atol=1e-10)


def test_golden_draws():
    trace = source({(0, 0): 2, (1, 0): 1}, Recipe("uniform", "percentiles", 1)).draw(0, {})
    assert trace.arrival_s.tolist() == [22.44841555070693, 47.8509058113757, 60.78544388180211]
    assert trace.duration_s.tolist() == pytest.approx(
        [0.053604387435446495, 0.025662621404152965, 0.3837937065150513], rel=1e-12
    )


def test_replications_differ_only_where_something_is_drawn():
    table = {(0, 0): 5}
    assert source(table).draw(0, {}).draw(1).arrival_s.tolist() == [6.0, 18.0, 30.0, 42.0, 54.0]
    made = source(table, Recipe("uniform")).draw(0, {"format": "x"})
    assert made.is_random
    assert made.draw(1).arrival_s.tolist() != made.arrival_s.tolist()
    assert made.draw(0).content_hash() == made.content_hash()
    assert made.draw(1).about == {"format": "x"}


def test_poisson_draws_the_number_too():
    made = source({(m, 0): 9 for m in range(2000)}, Recipe("poisson"), ((0, 2000),))
    numbers = np.bincount((made.draw(0, {}).arrival_s // 60).astype(int), minlength=2000)
    assert numbers.mean() == pytest.approx(9, abs=4 * 3 / 2000**0.5)
    assert numbers.var() == pytest.approx(9, rel=0.15)


def test_real_minutes_draw_the_numbers_of_scipy_stats(shared: Path) -> None:
    trace = load_trace(
        shared / "traces" / "azure2019_100f_8h", format="azure2019", arrivals="poisson", durations="mean"
    )
    cells, table = trace.counts, trace.functions
    keys = stream(0, 0, "arrival_counts", *function_keys(*(table[name].tolist() for name in ("owner", "app", "name"))))
    number = stats.poisson.ppf(uniforms(keys[cells.function], cells.labels[cells.minute]), cells.count)
    drawn = np.zeros((len(table), cells.minutes), int)
    np.add.at(drawn, (trace.function, (trace.arrival_s // 60).astype(int)), 1)
    assert number.size > 10_000
    np.testing.assert_array_equal(drawn[cells.function, cells.minute], number)


averages = st.lists(st.floats(0, 100), min_size=12, max_size=12)


@given(cells, averages, st.sampled_from(["even", "uniform", "poisson"]), st.sampled_from([1, 7, 1 << 17]))
def test_durations_may_be_those_of_the_minute(table, known, arrivals, batch):
    made = source(table)
    statistics = replace(made.durations, cell_average_s=np.array(known[: len(table)]))
    made = replace(made, durations=statistics, recipe=Recipe(arrivals, "per_minute", 3))
    expected = {key: known[i] for i, key in enumerate(sorted(table))}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BATCH_CALLS", batch)
        trace = made.draw(1, {})
    minute = (trace.arrival_s // 60).astype(int).tolist()
    assert trace.duration_s.tolist() == [
        expected[m, f] for m, f in zip(minute, trace.function.tolist(), strict=True)
    ]  # fmt: skip
    assert made.recipe.is_random == (arrivals != "even")


def test_durations_of_minutes_that_are_not_known_are_refused():
    with pytest.raises(TraceError, match="no averages of minutes"):
        source({(0, 0): 1}, Recipe(durations="per_minute"))
    made = source({(0, 0): 1})
    with pytest.raises(TraceError, match="averages of 2 cells, but there are 1"):
        replace(made, durations=replace(made.durations, cell_average_s=np.ones(2)))


def test_uniform_arrivals_are_uniform_in_the_minute():
    second = source({(0, 0): 20_000}, Recipe("uniform")).draw(0, {}).arrival_s
    numbers = np.histogram(second, 20, (0, 60))[0]
    assert ((numbers - 1000) ** 2 / 1000).sum() < 43.8  # chi-square, 19 degrees of freedom, p = 0.001


@pytest.mark.parametrize("durations", ["percentiles", "lognormal"])
def test_durations_have_the_quantiles_given(durations):
    made = source({(0, 0): 50_000, (0, 1): 5, (0, 2): 5}, Recipe("even", durations)).draw(0, {})
    drawn = rows(made, "a")[:, 1]
    if durations == "percentiles":
        assert np.quantile(drawn, [0.01, 0.25, 0.5, 0.75, 0.99]) == pytest.approx(QUANTILES[0, 1:-1], rel=0.05)
        assert 0 <= drawn.min() <= drawn.max() <= 5
    else:
        mu, sigma, _ = fit_lognormal(made.counts.durations)
        assert np.log(drawn).mean() == pytest.approx(mu[0], abs=0.03)
        assert np.log(drawn).std() == pytest.approx(sigma[0], rel=0.03)
    assert rows(made, "b")[:, 1].tolist() == [1.0] * 5
    assert rows(made, "c")[:, 1].tolist() == [0.0] * 5


def test_a_lognormal_is_recovered():
    z = np.array([-3.5, -2.3263478740408408, -0.6744897501960817, 0, 0.6744897501960817, 2.3263478740408408, 3.5])
    statistics = DurationStatistics(np.array([1.0]), np.exp(-0.38 + 2.36 * z)[None])
    mu, sigma, fixed = fit_lognormal(statistics)
    assert (mu[0], sigma[0]) == pytest.approx((-0.38, 2.36))
    assert np.isnan(fixed[0])


@pytest.mark.parametrize(
    "options", [{"arrivals": "never"}, {"durations": "long"}, {"seed": 0.5}, {"arrivals": ["even"]}]
)
def test_unknown_recipes_are_refused(options):
    with pytest.raises(TraceError, match=str(next(iter(options)))):
        Recipe(**options)


@pytest.mark.parametrize("table", [{(6, 0): 1}, {(0, 3): 1}, {(0, 0): 0}])
def test_impossible_cells_are_refused(table):
    with pytest.raises(TraceError, match="row 0"):
        source(table)
