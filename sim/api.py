"""The public face: what a script or notebook calls, with presets where nothing is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd
from rich.console import Console

from sim.core.build import check_arguments
from sim.engine.many_windows import many_windows as make_many_windows
from sim.engine.simulate import simulate as run_engine
from sim.engine.window_curve import NO_START
from sim.engine.window_curve import window_curve as make_window_curve
from sim.experiment.comparison import compare as run_comparison
from sim.experiment.executors import Local
from sim.experiment.experiment import Experiment, Intervals, Variant
from sim.experiment.experiment import run_experiment as keep_experiment
from sim.experiment.index import CELLS, write_index
from sim.experiment.replications import Replications
from sim.experiment.run_folder import claimed
from sim.experiment.runner import Runner, Unwatched, Watch
from sim.given import setting_of, whole
from sim.platform.platform import Platform
from sim.policies.keepalive.role import KeepAlive
from sim.report.progress import progress
from sim.results.chrome_trace import write_chrome_trace
from sim.results.outcome import Outcome
from sim.results.pricing import PriceBook, ProviderPrice
from sim.results.result import Result
from sim.results.window_curve import WindowCurve
from sim.workload.source import Source
from sim.workload.trace import Trace


def simulate(
    trace: Source,
    policy: KeepAlive,
    platform: Platform | None = None,
    *,
    engine: str = "simpy",
    threads: int = 1,
    seed: int = 0,
    replication: int = 0,
    record: bool = True,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    price: PriceBook | None = None,
    provider: ProviderPrice | None = None,
) -> Result:
    """Replay a trace under one policy.

    Args:
        trace: what arrives; its calls are used as they are, `replication` draws only what the platform draws (see
            `Trace.draw`). What is not in memory (`open_trace`) is replayed part by part, by the compiled engine.
        policy: how long idle instances stay.
        platform: what serves; ``load_platform("default")`` by default.
        engine: ``"simpy"``, the reference; ``"compiled"``, the same answers where functions do not interact, fifty to a
            hundred times faster; ``"auto"``, that one where it can (``docs/engines.md``).
        threads: with how many, at most, the compiled engine goes through the calls; the answers are the same.
        seed: of every random draw.
        replication: number of the replication, from 0.
        record: keep a row a call, an instance and a start in the result. If not, the compiled engine replays a trace of
            counts from its counts, and then percentiles of latency are within 0.4 % (``result.about``).
        warm_up_s: calls that arrive earlier are simulated but not counted, and memory-time is counted from there.
        horizon_s: end of the measured span; the trace's own by default. Later calls are left out.
        price: what the user pays; AWS Lambda on x86 by default.
        provider: what memory costs the provider; EC2 m5 by default.

    Returns:
        The result: `summary`, `functions`, and, if recorded, `invocations`, `instances`, `starts` and `stem_cells`.

    Raises:
        ConfigError: an argument of the wrong type, or a span that makes no sense.
    """
    setting = setting_of(platform, price, provider, engine, threads, seed, warm_up_s, horizon_s)
    return run_engine(
        trace, policy, setting.platform, price=setting.price, provider=setting.provider, engine=engine,
        threads=setting.threads, seed=setting.seed, replication=whole("replication", replication, low=0),
        record=record, warm_up_s=warm_up_s, horizon_s=horizon_s,
    )  # fmt: skip


def compare(
    trace: Source,
    policies: Mapping[str, KeepAlive],
    platform: Platform | None = None,
    *,
    engine: str = "simpy",
    threads: int = 1,
    record: bool = True,
    seed: int = 0,
    replications: int | Mapping[str, Any] = 1,
    intervals: Intervals = "replications",
    jobs: int | None = 1,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    price: PriceBook | None = None,
    provider: ProviderPrice | None = None,
) -> pd.DataFrame:
    """Replay a trace under several policies, with the same arrivals, durations and start draws for each.

    Args:
        trace: what arrives; drawn anew in every replication if its source is counts. What is not in memory
            (`open_trace`, ``AzureScale().parts()``) is the same in all of them, and needs ``record=False``.
        policies: a label and a policy for each row.
        platform: as for `simulate`, like all that is not named here.
        engine: as for `simulate`.
        threads: likewise, of each run: `jobs` times as many in all.
        record: as for `simulate`: if not, the numbers are the same but for percentiles of latency, and runs are small.
        seed: of every random draw.
        replications: how often what is random is drawn; 95 % intervals need two or more. Or until an interval is narrow
            enough: ``{"min": 5, "max": 100, "target_rel_halfwidth": 0.02, "metric": "cold_start_rate"}``.
        intervals: what they are of: ``"replications"``, or ``"apps"``, a bootstrap over these.
        jobs: runs at a time; None: one a core. With more than one, policies must be defined in a module or a notebook.
        warm_up_s: start of the measured span.
        horizon_s: end of the measured span.
        price: what the user pays.
        provider: what memory costs the provider.

    Returns:
        A row a policy: `policy`, `policy_value`, `replications`, every metric (the mean over replications), and
        ``<metric>_ci95`` half-widths with ``<metric>_low`` and ``<metric>_high``. ``frame.attrs`` says in words what
        was compared on what.
    """
    setting = setting_of(platform, price, provider, engine, threads, seed, warm_up_s, horizon_s, record=record)
    with _watch() as watch:
        compared = run_comparison(
            trace, policies, setting, replications=_replications(replications), intervals=intervals, jobs=jobs,
            watch=watch,
        )  # fmt: skip
    compared.frame.attrs.update(compared.notes)
    return compared.frame


def run_experiment(
    folder: str | Path,
    trace: Source | Mapping[str, Source],
    policies: Mapping[str, KeepAlive],
    platform: Platform | Mapping[str, Platform] | None = None,
    *,
    engine: str = "simpy",
    threads: int = 1,
    record: bool = True,
    seed: int = 0,
    replications: int | Mapping[str, Any] = 1,
    intervals: Intervals = "replications",
    jobs: int | None = None,
    cell_limit_s: float | None = None,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    price: PriceBook | None = None,
    provider: ProviderPrice | None = None,
) -> Outcome:
    """`compare`, for every trace on every platform given, with each run kept in a folder as soon as it ends.

    What is there is never run twice: the same call goes on where it was stopped, and one with more policies or
    replications runs only what is new. `load_run` and ``keepwarm report`` read the folder.

    Args:
        folder: made if it is not there.
        trace: as for `compare`, or several by name.
        policies: a label and a policy for each row.
        platform: as for `simulate`, or several by name.
        engine: as for `simulate`.
        threads: likewise, of each run: `jobs` times as many in all.
        record: as for `compare`; if not, a report draws nothing over time or of the phases of starts.
        seed: of every random draw.
        replications: as for `compare`, like all that is not named here.
        intervals: what they are of.
        jobs: runs at a time; None: one a core.
        cell_limit_s: seconds after which a run is given up; None: never.
        warm_up_s: start of the measured span.
        horizon_s: end of the measured span.
        price: what the user pays.
        provider: what memory costs the provider.

    Returns:
        `variants`, one for each trace and platform, with `frame`, `differences`, `notes` and `digests`; and all of them
        together, `frame` and `differences`. Runs that failed are told in `failures`.
    """
    traces = trace if isinstance(trace, Mapping) else {"": trace}
    platforms = platform if isinstance(platform, Mapping) else {"": platform}
    variants = [
        Variant(
            ", ".join(filter(None, (traced, served))), traced, partial(_given, replayed),
            setting_of(serving, price, provider, engine, threads, seed, warm_up_s, horizon_s, record=record),
        )
        for traced, replayed in traces.items()
        for served, serving in platforms.items()
    ]  # fmt: skip
    experiment = Experiment(variants, policies, _replications(replications), intervals)
    with claimed(Path(folder)) as place, _watch() as watch:
        cells = place / CELLS
        cells.mkdir(exist_ok=True)
        runner = Runner(Local(jobs), cells, limit_s=cell_limit_s, watch=watch)
        index = keep_experiment(experiment, runner).index
        write_index(index, place)
    return index.outcome()


def _given(trace: Source) -> Source:
    return trace


def _replications(given: int | Mapping[str, Any]) -> Replications:
    if isinstance(given, Mapping):
        check_arguments(Replications, given, "replications")
        return Replications(**given)
    return Replications(whole("replications", given))


@contextmanager
def _watch() -> Iterator[Watch]:
    """A progress bar in a notebook; a script is not talked over."""
    console = Console()
    if not console.is_jupyter:
        yield Unwatched()
        return
    with progress(console) as bar:
        yield bar


def window_curve(
    trace: Trace,
    platform: Platform = NO_START,
    *,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    approximate: bool = False,
) -> WindowCurve:
    """Cold starts and wasted memory-time under `FixedWindow` for every window at once, from one pass over a trace.

    Args:
        trace: what arrives; its columns are used as they are, so of a trace made from counts it is one draw's curve.
        platform: what serves; by default one on which starts take no time. The curve is exact with zero start time, no
            life limit, no cap, one request an instance, one router, and the most recently idle instance first.
        warm_up_s: as for `simulate`.
        horizon_s: as for `simulate`.
        approximate: leave out what the platform has beyond that, instead of refusing it; ``curve.approximate`` says
            what was left out.

    Returns:
        The curve: ``curve.at([60, 600])`` is a row a window, ``curve.knee()`` the window of the knee, and
        ``curve.frontier`` the least waste of every number of cold starts.

    Raises:
        ConfigError: the curve would not be exact, or the span makes no sense.
    """
    return make_window_curve(trace, platform, warm_up_s=warm_up_s, horizon_s=horizon_s, approximate=approximate)


def many_windows(
    trace: Trace,
    windows_s: npt.ArrayLike,
    platform: Platform = NO_START,
    *,
    warm_up_s: float = 0.0,
    horizon_s: float | None = None,
    approximate: bool = False,
) -> pd.DataFrame:
    """Cold starts and wasted memory-time of `FixedWindow` under many windows, from one pass over a trace.

    What `window_curve` says at these windows, in a tenth of the time where numba is installed: a thousand windows cost
    about as much as two or three runs of the compiled engine. Cold starts are exactly those of the runs.

    Args:
        trace: what arrives.
        windows_s: seconds, in any order; infinity is one.
        platform: as for `window_curve`, and so are the others.
        warm_up_s: as for `simulate`.
        horizon_s: as for `simulate`.
        approximate: leave out what the platform has beyond what is exact, instead of refusing it.

    Returns:
        A row a window: `window_s`, `cold_starts`, `cold_start_rate` and `wasted_gb_s`.

    Raises:
        ConfigError: as for `window_curve`, or a window is no number of seconds >= 0.
    """
    return make_many_windows(
        trace, windows_s, platform, warm_up_s=warm_up_s, horizon_s=horizon_s, approximate=approximate
    )


def chrome_trace(
    result: Result,
    path: str | Path,
    *,
    start_s: float = 0.0,
    end_s: float | None = None,
    functions: Sequence[int] | Sequence[str] | npt.NDArray[Any] | None = None,
) -> Path:
    """Write a span of a run as a file to look at in Perfetto or Chrome (``docs/timeline.md``).

    Args:
        result: of a run that was recorded.
        path: the JSON file; one that is there is replaced.
        start_s: of the span, in seconds of the trace.
        end_s: of the span; the end of the measured span by default, and not after it. What reaches beyond either end
            is cut there.
        functions: indices, or names, in the order to be shown; all of them by default.

    Returns:
        The path.

    Raises:
        ConfigError: the run was not recorded, a span that makes no sense, unknown functions.
    """
    return write_chrome_trace(result, Path(path), start_s=start_s, end_s=end_s, functions=functions)
