"""The long way (slots, queues, choices) gives the answers of the short way."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from hypothesis import given

from sim.engine import reference

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "engine"))
from small import Case, cases, cases_with_a_gap_for_window


def columns(case: Case, **options: object) -> dict[str, list[float]]:
    from small import Windows

    trace = case.trace
    platform = replace(case.platform, **options)
    ran = reference.run(trace, Windows(case.window_s), platform, horizon_s=trace.horizon_s)
    requests, instances = ran.requests, ran.instances
    return {
        **{n: getattr(requests, n).tolist() for n in ("start_s", "end_s", "start_kind", "outcome", "instance")},
        "idle_since_s": np.nan_to_num(requests.idle_since_s, nan=-1.0).tolist(),
        "busy_since_s": np.nan_to_num(requests.busy_since_s, nan=-1.0).tolist(),
        **{n: np.nan_to_num(getattr(instances, n), nan=-1.0).tolist() for n in ("created_s", "ready_s", "ended_s")},
        "left_idle_s": np.nan_to_num(instances.idle_since_s, nan=-1.0).tolist(),
    }


@given(case=cases() | cases_with_a_gap_for_window())
def test_a_cap_that_is_never_reached_changes_nothing(case: Case) -> None:
    assert columns(case, max_instances=1e9) == columns(case)


@given(case=cases(start_ups=False) | cases_with_a_gap_for_window(start_ups=False))
def test_without_start_up_time_the_binding_does_not_matter(case: Case) -> None:
    assert columns(case, binding="late") == columns(case) == columns(case, binding="race")
