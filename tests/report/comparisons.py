"""Comparison frames made by hand."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

METRICS = (
    "cold_start_rate",
    "app_cold_share_p75",
    "latency_p50_s",
    "latency_p99_s",
    "wasted_gb_s",
    "wasted_normalised",
    "user_cost_per_million_usd",
    "provider_cost_per_million_usd",
)
DAY = {
    "no_keep_alive": (0.9231, 1.0, 1.412, 4.1, 0.0, 0.0, 3.2, 0.0451),
    "fixed_1m": (0.2104, 0.9, 0.085, 2.9, 91_234.0, 0.21, 3.02, 0.112),
    "fixed_2m": (0.1323, 0.77, 0.081, 2.6, 150_233.0, 0.34, 2.99, 0.158),
    "fixed_10m": (0.0421, 0.503, 0.078, 1.9, 440_123.0, 1.0, 2.96, 0.384),
    "fixed_60m": (0.0132, 0.25, 0.078, 1.4, 1_611_234.0, 3.66, 2.95, 1.302),
    "keep_forever": (0.0021, 0.0312, 0.078, 1.31, 12_345_678.0, 28.05, 2.95, 9.73),
    "clairvoyant": (0.0421, 0.503, 0.078, 1.9, 98_765.0, 0.224, 2.96, 0.118),
}
NOTES = {
    "workload": "458,123 calls of 400 functions in 260 apps over 24 h (traces/default)",
    "platform": "unlimited capacity, starts drawn phase by phase",
    "intervals": "± half-widths of 95 % t intervals over 10 replications",
    "baseline": "wasted memory is normalised to that of a fixed window of 10 minutes",
}


def day(*, intervals: bool = False) -> pd.DataFrame:
    """Seven policies over a day; with intervals, of 1 % of each value."""
    frame = comparison(list(DAY), np.array(list(DAY.values())))
    for metric in METRICS:
        frame[f"{metric}_ci95"] = frame[metric] * (0.01 if intervals else np.nan)
    return frame


def scattered(n: int, label: str = "policy {}") -> pd.DataFrame:
    """As many policies as wanted, along a trade-off."""
    draw = np.random.default_rng(n)
    waste = 10 ** draw.uniform(-1, 1.3, n)
    cold = np.minimum(0.05 * waste**-0.6 * draw.uniform(0.8, 1.6, n), 1)
    values = np.column_stack([cold, *[np.full(n, 0.5)] * 3, waste * 4e5, waste, *[np.full(n, 3.0)] * 2])
    return comparison([label.format(i) for i in range(n)], values)


def comparison(labels: Sequence[str], values: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame(values, columns=list(METRICS))
    frame.insert(0, "policy", list(labels))
    return frame
