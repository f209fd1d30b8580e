"""The horizontal pod autoscaler: the decisions of the real one, its laws, and decisions worked out by hand."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.policies.scaling.hpa import Hpa
from sim.policies.scaling.hpa_values import (
    Behavior,
    MetricSpec,
    MetricValue,
    Pod,
    Sample,
    ScalingPolicy,
    ScalingRules,
    Unavailable,
)

Row = dict[str, Any]


def seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def rules(row: Row) -> ScalingRules:
    policies = tuple(ScalingPolicy(policy["type"], policy["value"], policy["period_s"]) for policy in row["policies"])
    return ScalingRules(row["stabilization_s"], row["select"], policies)


def recorded(row: Row) -> Hpa:
    """The autoscaler of a recorded sequence."""
    behavior = row["behavior"]
    return Hpa(
        tuple(MetricSpec(m["kind"], m["target"], m.get("resource"), f"m{i}") for i, m in enumerate(row["metrics"])),
        row["min_replicas"],
        row["max_replicas"],
        behavior and Behavior(rules(behavior["scale_up"]), rules(behavior["scale_down"])),
        row["tolerance"],
        "1.32",
        row["cpu_initialization_period_ms"] / 1000,
        row["initial_readiness_delay_ms"] / 1000,
        row["downscale_stabilization_ms"] / 1000,
        "Deployment/ns/d",
    )


def pods_of(sync: Row) -> list[Pod]:
    return [
        Pod(name, phase, seconds(start), ready, seconds(change), deleting, request, request)
        for name, phase, start, ready, change, deleting, request in sync["pods"]
    ]


def values_of(kinds: list[str], sync: Row) -> Iterator[MetricValue]:
    for kind, value in zip(kinds, sync["metrics"], strict=True):
        if value == "error":
            yield Unavailable()
        elif kind.startswith("external_"):
            yield value
        else:
            yield [sample and Sample(sample[0], sample[1] / 1000, sample[2] / 1000) for sample in value]


def entries(events: list[list[int]]) -> list[tuple[int, int]]:
    return [(n, t_ms * 10**6) for n, t_ms in events]


def compare(row: Row) -> int:
    """Compare every sync of a sequence with what was recorded; how many syncs that was."""
    autoscaler = recorded(row)
    kinds = [metric["kind"] for metric in row["metrics"]]
    for sync in row["syncs"]:
        told = sync["t_ms"] / 1000, sync["spec_replicas"], pods_of(sync), list(values_of(kinds, sync))
        proposals = autoscaler.propose(*told, sync["status_replicas"])
        decision = autoscaler.decide(*told, sync["status_replicas"])
        conditions = decision.conditions
        seen = {
            "calc": [(p.replicas, p.utilisation, p.average_milli, p.error) for p in proposals],
            "desired": decision.desired,
            "rescaled": decision.rescaled,
            "err": decision.error,
            "AbleToScale": conditions.able_to_scale,
            "ScalingActive": conditions.scaling_active,
            "ScalingLimited": conditions.scaling_limited,
        }
        wanted = {
            "calc": [(c["replicas"], c["util"], c.get("raw", 0), c.get("err", "")) for c in sync["calc"]],
            "desired": sync["desired"],
            "rescaled": sync["rescaled"],
            "err": sync.get("err", ""),
            "AbleToScale": sync["cond"].get("AbleToScale", ""),
            "ScalingActive": sync["cond"].get("ScalingActive", ""),
            "ScalingLimited": sync["cond"].get("ScalingLimited", ""),
        }
        assert seen == wanted, (row["id"], sync["t_ms"])
        assert decision.proposals in ((), proposals)
        if row["id"] % 5 == 0:
            history = autoscaler.history
            assert history.recommendations == entries(sync.get("recs", [])), (row["id"], sync["t_ms"])
            assert history.up_events == entries(sync.get("up_events", [])), (row["id"], sync["t_ms"])
            assert history.down_events == entries(sync.get("down_events", [])), (row["id"], sync["t_ms"])
    return len(row["syncs"])


@pytest.mark.parametrize("mode", ["nil", "default", "custom"])
def test_every_recorded_decision_of_the_real_controller(shared: Path, mode: str) -> None:
    with gzip.open(shared / "golden" / "hpa.jsonl.gz", "rt") as lines:
        rows = [row for row in map(json.loads, lines) if row["behavior_mode"] == mode]
    syncs = sum(compare(row) for row in rows)
    assert syncs == 120 * {"nil": 19, "default": 18, "custom": 35}[mode]
