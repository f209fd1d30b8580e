"""Every metric of ``docs/metrics.md`` for readers: a title, a unit and what it is, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.report.metrics import MEMORY_TIME, PERCENT, TABLE, TIME, Metric, Unit

COUNT: Final = (Unit("", 1.0),)
MEMORY: Final = (Unit("GB", 1.0),)
MONEY: Final = (Unit("USD", 1.0),)


@dataclass(frozen=True)
class Definition:
    """A metric and what it is, in a sentence without a full stop."""

    metric: Metric
    meaning: str


def _of_table(key: str, meaning: str) -> Definition:
    return Definition(next(metric for metric in TABLE if metric.key == key), meaning)


def _of(key: str, title: str, units: tuple[Unit, ...], least_decimals: int, meaning: str) -> Definition:
    return Definition(Metric(key, title, (title,), units, least_decimals), meaning)


DEFINITIONS: Final = (
    _of_table("cold_start_rate", "cold calls among those that started: calls that waited for a new instance to start"),
    _of_table("app_cold_share_p75", "each app has a share of cold calls; three apps in four have this share or less"),
    _of_table("latency_p50_s", "half of the calls take no longer from their arrival to their end"),
    _of_table("latency_p99_s", "99 of 100 calls take no longer from their arrival to their end"),
    _of_table("wasted_gb_s", "memory held by instances that serve no call, times how long they hold it"),
    _of_table("wasted_normalised", "the same, divided by what a fixed window of 10 minutes wastes on the same calls"),
    _of_table("user_cost_per_million_usd", "what users are charged, for a million calls"),
    _of_table("provider_cost_per_million_usd", "what the memory of instances costs the provider, for a million calls"),
    _of("invocations", "calls counted", COUNT, 0, "calls that arrived within the measured span"),
    _of("cold_starts", "cold starts, number", COUNT, 0, "counted calls that waited for a new instance to start"),
    _of("warm", "warm calls", COUNT, 0, "counted calls that found a ready instance and waited for nothing"),
    _of("queued", "queued calls", COUNT, 0, "counted calls that waited for something else than a start of their own"),
    _of("rejected", "rejected calls", COUNT, 0, "counted calls that were turned away"),
    _of("timed_out", "timed-out calls", COUNT, 0, "counted calls that were ended by a time-out"),
    _of("failed", "failed calls", COUNT, 0, "counted calls that failed"),
    _of("stale_hops", "stale hops", COUNT, 0, "times that a router sent a call to an instance that was no longer free"),
    _of("prewarmed", "prewarmed calls", COUNT, 0, "warm calls that were the first of an instance started ahead"),
    _of("pings", "pings", COUNT, 0, "calls that the policy made itself to keep instances; counted nowhere else"),
    _of("app_cold_share_p50", "cold starts of the P50 app", PERCENT, 2,
        "half of the apps have this share of cold calls or less"),
    _of("app_cold_share_p90", "cold starts of the P90 app", PERCENT, 2,
        "nine apps in ten have this share of cold calls or less"),
    _of("function_cold_share_p50", "cold starts of the P50 function", PERCENT, 2,
        "half of the functions have this share of cold calls or less"),
    _of("function_cold_share_p75", "cold starts of the P75 function", PERCENT, 2,
        "three functions in four have this share of cold calls or less"),
    _of("function_cold_share_p90", "cold starts of the P90 function", PERCENT, 2,
        "nine functions in ten have this share of cold calls or less"),
    _of("always_cold_functions", "functions always cold", PERCENT, 2,
        "functions all of whose calls were cold; one that is called once always is"),
    _of("latency_p95_s", "latency P95", TIME, 0, "95 of 100 calls take no longer from their arrival to their end"),
    _of("latency_p99_9_s", "latency P99.9", TIME, 0, "999 of 1,000 calls take no longer from arrival to end"),
    _of("latency_mean_s", "latency, mean", TIME, 0, "mean time of a call from its arrival to its end"),
    _of("wait_mean_s", "wait, mean", TIME, 0, "mean time of a call from its arrival to the start of its execution"),
    _of("cold_wait_mean_s", "wait of cold calls, mean", TIME, 0, "the same over the cold calls only"),
    _of("starting_gb_s", "starting memory-time", MEMORY_TIME, 0, "memory of instances that start, times how long"),
    _of("busy_gb_s", "busy memory-time", MEMORY_TIME, 0, "memory of instances that run calls, times how long"),
    _of("idle_gb_s", "idle memory-time", MEMORY_TIME, 0, "memory of instances that wait for calls, times how long"),
    _of("mean_instances", "instances, mean", COUNT, 1, "instances there are, average of the measured span"),
    _of("mean_busy_instances", "busy instances, mean", COUNT, 1, "instances that run calls, average of the span"),
    _of("mean_idle_instances", "idle instances, mean", COUNT, 1, "instances that wait for calls, average of the span"),
    _of("instance_starts", "instance starts", COUNT, 0, "instances whose start began within the measured span"),
    _of("stem_cell_starts", "starts from generic cells", COUNT, 0, "starts that took a cell prepared for any function"),
    _of("downloaded_gb", "downloaded", MEMORY, 1, "packages and images that were fetched for starts"),
    _of("user_cost_usd", "user cost", MONEY, 2, "what users are charged for all calls"),
    _of("provider_cost_usd", "provider cost", MONEY, 2, "what the memory of all instances costs the provider"),
)  # fmt: skip
"""Those of the comparison table first, in its order."""
