"""What a reader must know of a comparison besides its numbers, in sentences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Final

import numpy as np

from sim.core.distributions import Distribution
from sim.engine.engines import COMPILED
from sim.engine.simulate import measured_span
from sim.experiment.intervals import RESAMPLES, IntervalSource
from sim.experiment.setting import Setting
from sim.results.call_sums import Span
from sim.results.tally import HISTOGRAM
from sim.workload.source import Source, about
from sim.workload.trace import Trace

_TOLD: Final = ("start", "start_s", "max_lifetime_s", "instance_choice", "concurrency")
"""Options of a platform that its note has words for; others are named if they are not the default."""


def workload_note(trace: Source, setting: Setting) -> str:
    """How many calls of what are measured, and for how long."""
    span = measured_span(trace, setting.warm_up_s, setting.horizon_s)
    warm_up = f" after a warm-up of {span.start_s:g} s" if span.start_s else ""
    apps = trace.functions.groupby(["owner", "app"]).ngroups
    source = f" ({about(trace)['path']})" if "path" in about(trace) else ""
    return (
        f"{_calls(trace, span, setting)} of {_several(len(trace.functions), 'function')} in {_several(apps, 'app')}"
        f" over {(span.end_s - span.start_s) / 3600:.3g} h{warm_up}{source}"
    )


def looked_at(trace: Source, setting: Setting) -> Trace | None:
    """The trace, if its calls are looked at one by one: because runs record, or as they are in memory in any case."""
    return trace if isinstance(trace, Trace) and (setting.record or trace.counts is None) else None


def _calls(trace: Source, span: Span, setting: Setting) -> str:
    """How many are measured; of a trace that is larger than memory they are not counted, but all are known."""
    known = looked_at(trace, setting)
    if known is not None:
        inside = (known.arrival_s >= span.start_s) & (known.arrival_s <= span.end_s)
        return _several(int(np.count_nonzero(inside)), "call")
    whole = span.start_s == 0 and span.end_s == trace.horizon_s
    calls = _several(int(trace.calls_per_function.sum()), "call")
    return calls if whole else f"those of {calls} that come in time,"


def _several(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def platform_note(trace: Source, setting: Setting) -> str:
    """What serves: the main options in words, others by name where they are not the default; and if it has no price."""
    platform = setting.platform
    limited = platform.max_instances < np.inf or platform.max_instances_per_unit < np.inf
    one = bool((platform.deployed(trace.functions)["concurrency"] == 1).all())
    life = _life_note(platform.max_lifetime_s)
    words = [
        *(() if limited else ("unlimited capacity",)),
        "one request an instance" if one else "several requests an instance",
        f"{platform.instance_choice.replace('_', ' ')} first",
        f"starts of {platform.start_s:g} s" if platform.start is None else "starts drawn phase by phase",
        *life,
        *(f"{f.name}={getattr(platform, f.name)}" for f in fields(platform)
          if f.name not in _TOLD and getattr(platform, f.name) != f.default),
        *(("no price for a call",) if setting.price.is_free else ()),
    ]  # fmt: skip
    return ", ".join(words)


def _life_note(life_s: float | Distribution) -> tuple[str, ...]:
    if isinstance(life_s, Distribution):
        return ("lives drawn for each instance",)
    return () if np.isinf(life_s) else (f"instances live at most {life_s:g} s",)


def record_note(trace: Source, setting: Setting, engines: Iterable[str | None]) -> str:
    """What a comparison lacks if nothing is recorded, under these engines; empty if all is."""
    if setting.record:
        return ""
    said = "calls are not recorded: nothing is drawn over time or of the phases of starts"
    exact = looked_at(trace, setting) is not None or COMPILED not in engines
    return said if exact else f"{said}; percentiles of latencies are {HISTOGRAM}"


def intervals_note(source: IntervalSource, replications: int, apps: int, frozen: str | None, missed: str = "") -> str:
    """What the intervals are of; a trace that froze a draw is neither exact nor varied by replications.

    Args:
        source: of the intervals.
        replications: their number.
        apps: the number of those that were called, where they are the source.
        frozen: what the trace is, if it froze a draw.
        missed: which intervals are wider than was asked for.
    """
    if source == "exact":
        return "nothing is random here: the numbers are exact for this trace and platform"
    if source == "apps" and apps < 2:
        said = "no intervals: a bootstrap over apps needs two of them that are called"
    elif source == "apps":
        said = f"± half-widths of 95 % percentile intervals of a bootstrap over {apps:,} apps ({RESAMPLES:,} resamples)"
    elif source == "none" and frozen is not None:
        return f"no intervals: the trace is {frozen}, which no interval knows of"
    elif replications < 2:
        said = "one replication: no intervals"
    else:
        said = f"± half-widths of 95 % t intervals over {replications} replications"
    said = f"{said}; the trace is {frozen}, which no interval knows of" if frozen is not None else said
    return f"{said}; {missed}" if missed else said
