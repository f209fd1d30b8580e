# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3

# %% [markdown]
# # From a trace to its window
#
# Which keep-alive window suits *your* functions? One need not simulate twenty windows to know. This notebook looks at
# what a trace is like, finds the one distribution that decides, and reads from it how many cold starts each window
# has and what it wastes, when a window pays, and what each function's own window would bring.

# %%
# %matplotlib inline
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import sim
from sim.report.palette import COLORS
from sim.report.style import STYLE
from sim.workload.statistics import gap_variation, trigger_table

plt.rcParams.update(STYLE | {"figure.dpi": 110, "figure.figsize": (7.0, 3.2), "text.parse_math": True})
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)

trace = sim.load_trace("traces/default").slice(6 * 3600, 14 * 3600)
trace

# %% [markdown]
# ## The character of a trace
#
# A few functions make nearly all calls, and most functions are called rarely. Both matter: the busy ones decide the
# share of cold *calls*, the rare ones the experience of most *owners*.

# %%
calls = np.sort(trace.calls_per_function)[::-1]
figure, (left, right) = plt.subplots(1, 2, layout="constrained")
left.plot(100 * np.arange(1, calls.size + 1) / calls.size, 100 * np.cumsum(calls) / calls.sum())
left.set(xlabel="functions, busiest first (%)", ylabel="calls that they make (%)", xscale="log", ylim=(0, 101))
variation = np.sort(gap_variation(trace))
right.step(variation, 100 * np.arange(1, variation.size + 1) / variation.size, where="post")
right.axvline(1.0, color="#8A8A8A", linewidth=0.8, linestyle=":")
right.set(
    xlabel="variation of gaps (0: a clock, 1: Poisson)", ylabel="functions with no more (%)", xlim=(0, 6), ylim=(0, 101)
)
plt.show()
clocks, bursts = np.mean(variation < 0.1), np.mean(variation > 1.2)
print(f"The busiest tenth of the functions make {calls[: calls.size // 10].sum() / calls.sum():.0%} of the calls.")
print(f"{clocks:.0%} of the functions are called as by a clock, {bursts:.0%} in bursts.")

# %%
trigger_table(trace)

# %% [markdown]
# ## The distribution that decides
#
# Keep every instance for ever, and write down how long each was idle before it was used again: its **idle gaps**. On
# a platform that takes the most recently idle instance, without limits and where starts take no time, these gaps say
# everything about fixed windows. Under a window T a gap g
#
# - costs a cold start iff g > T,
# - wastes min(g, T) of idle time.
#
# So one run answers for all windows.

# %%
instant = sim.Platform(start_s=0.0)


def idle_gaps(trace):
    """A row for each idle period: function, seconds, whether a call ended it (else the horizon did)."""
    calls = sim.simulate(trace, sim.policies.KeepForever(), instant).invocations
    calls = calls.sort_values(["instance", "start_s", "end_s"])
    next_s = calls.groupby("instance")["start_s"].shift(-1)
    gap_s = next_s.fillna(trace.horizon_s) - calls["end_s"]
    gaps = pd.DataFrame({"function": calls["function"], "gap_s": gap_s.clip(lower=0.0), "used": next_s.notna()})
    return gaps.reset_index(drop=True), int((calls["start_kind"] == "cold").sum())


gaps, first_starts = idle_gaps(trace)
gaps["gb"] = trace.functions["memory_mb"].to_numpy()[gaps["function"]] / 1024
print(f"{len(gaps):,} idle gaps, {first_starts:,} starts that no window avoids")

# %%
windows_s = np.concatenate([[0.0], np.geomspace(1.0, 7200.0, 120)])


def by_window(gaps, first_starts):
    """Cold starts, and wasted GB-s, of every window."""
    used, gap_s, gb = (gaps[name].to_numpy() for name in ("used", "gap_s", "gb"))
    cold = np.array([first_starts + np.count_nonzero(used & (gap_s > window)) for window in windows_s])
    waste = np.array([(np.minimum(gap_s, window) * gb).sum() for window in windows_s])
    return cold, waste


cold, waste = by_window(gaps, first_starts)

# %% [markdown]
# Is that true? The simulator itself, at three windows, must say the same, to the last cold start.

# %%
for window in (60.0, 600.0, 3600.0):
    simulated = sim.simulate(trace, sim.policies.FixedWindow(window), instant, record=False).summary
    at = pd.Series({"cold": first_starts + (gaps["used"] & (gaps["gap_s"] > window)).sum(),
                    "waste": (np.minimum(gaps["gap_s"], window) * gaps["gb"]).sum()})  # fmt: skip
    print(f"{window:6,.0f} s: {at['cold']:6,.0f} cold starts foretold, {simulated['cold_starts']:6,.0f} simulated;"
          f" {at['waste']:9,.0f} and {simulated['wasted_gb_s']:9,.0f} GB-s")  # fmt: skip
    assert at["cold"] == simulated["cold_starts"]
    assert np.isclose(at["waste"], simulated["wasted_gb_s"], rtol=1e-9)

# %%
figure, axes = plt.subplots(layout="constrained")
axes.plot(windows_s, 100 * cold / len(trace), color=COLORS[0])
axes.set(xscale="symlog", yscale="log", xlabel="window (s)")
axes.set_ylabel("cold calls (%)", color=COLORS[0])
axes.set_xlim(0, 7200)
other = axes.twinx()
other.plot(windows_s, waste / 1000, color=COLORS[1])
other.set_ylabel("wasted memory-time (1000 GB-s)", color=COLORS[1])
other.grid(visible=False)
other.set_ylim(0, None)
for seconds, name in ((60, "1 min"), (600, "10 min"), (3600, "1 h")):
    axes.axvline(seconds, color="#8A8A8A", linewidth=0.7, linestyle=":")
    axes.annotate(name, (seconds, 100), xytext=(3, -2), textcoords="offset points", fontsize=7, color="#555555")
plt.show()

# %% [markdown]
# ## When does a window pay?
#
# Say a cold start is *worth* w GB-s: so much idle memory-time one would spend to avoid it. Then the best window is
# where waste + w · cold starts is least. It exists for every w, and grows with it.

# %%
worth_gb_s = np.geomspace(0.1, 1000, 9)
best_s = np.array([windows_s[np.argmin(waste + worth * cold)] for worth in worth_gb_s])
for worth, window in zip(worth_gb_s, best_s, strict=True):
    print(f"a cold start is worth {worth:8,.1f} GB-s: keep for {window:6,.0f} s")
assert (np.diff(best_s) >= 0).all()

# %% [markdown]
# There is no natural knee: the curve of cold starts falls and falls, without a place from which on it is flat, and
# where it seems to bend is a matter of the axes. What a cold start is worth has to come from outside.
#
# ## One window does not fit all
#
# The same curve by trigger. A smooth fall means irregular calls. A timer's falls in steps: a window just short of the
# period is all waste.

# %%
figure, axes = plt.subplots(layout="constrained")
trigger = trace.functions["trigger"].to_numpy()[gaps["function"]]
for name in ("http", "queue", "event", "timer"):
    gap_s = np.sort(gaps["gap_s"].to_numpy()[(trigger == name) & gaps["used"]])
    axes.step(gap_s, 100 * (1 - np.arange(1, gap_s.size + 1) / gap_s.size), where="post", label=name, linewidth=1.2)
axes.set(xscale="log", yscale="log", xlim=(1, 7200), ylim=(0.1, 110), xlabel="window (s)",
         ylabel="idle gaps that outlast it (%)")  # fmt: skip
axes.legend(title="trigger", frameon=False)
plt.show()

# %% [markdown]
# ## A window for every function
#
# Now choose for each function the window that is best for its own gaps, at the same worth for all. That is cheating
# if it is judged on the hours that it was chosen on. So choose on the first half of the trace, and judge on the
# second.


# %%
@dataclass(frozen=True)
class WindowOfFunction(sim.policies.KeepAlive):
    """A window for each function, by its index."""

    needs_future = True  # it looks at which function a call is of
    windows_s_of: tuple = ()

    def windows_s(self, future):
        return np.array(self.windows_s_of)[future.function]


def best_windows(gaps, worth, functions):
    """For each function the window with the least waste + worth · cold starts; ten minutes where nothing is known."""
    chosen = np.full(functions, 600.0)
    for function, own in gaps.groupby("function"):
        candidates = np.concatenate([[0.0], np.unique(own.loc[own["used"], "gap_s"])])
        if len(candidates) > 60:
            candidates = np.quantile(candidates, np.linspace(0, 1, 60))
        gap_s, used, gb = own["gap_s"].to_numpy(), own["used"].to_numpy(), own["gb"].to_numpy()
        over = gap_s > candidates[:, None]
        cost = (np.minimum(gap_s, candidates[:, None]) * gb).sum(axis=1) + worth * (over & used).sum(axis=1)
        chosen[function] = 1.02 * candidates[np.argmin(cost)] + 1.0  # a little more than the gap that it is to cover
    return chosen


middle = trace.horizon_s / 2
learnt, judged = trace.slice(0, middle), trace.slice(middle)
past, _ = idle_gaps(learnt)
past["gb"] = trace.functions["memory_mb"].to_numpy()[past["function"]] / 1024

# %%
rows = []
for worth in (3.0, 10.0, 30.0, 100.0, 300.0):
    windows = tuple(best_windows(past, worth, len(trace.functions)))
    summary = sim.simulate(judged, WindowOfFunction(windows), instant, record=False).summary
    rows.append({"worth": worth, "cold": summary["cold_starts"], "waste": summary["wasted_gb_s"]})
own = pd.DataFrame(rows)
future, starts = idle_gaps(judged)
future["gb"] = trace.functions["memory_mb"].to_numpy()[future["function"]] / 1024
cold_fixed, waste_fixed = by_window(future, starts)

figure, axes = plt.subplots(layout="constrained")
axes.plot(waste_fixed / 1000, cold_fixed, label="one window for all", color=COLORS[0])
axes.plot(own["waste"] / 1000, own["cold"], "o", label="a window for each function", color=COLORS[1])
for _, row in own.iterrows():
    axes.annotate(f"{row['worth']:.0f}", (row["waste"] / 1000, row["cold"]), xytext=(-4, -10), fontsize=7, ha="right",
                  textcoords="offset points")  # fmt: skip
axes.set(yscale="log", xlabel="wasted memory-time (1000 GB-s)", ylabel="cold starts", ylim=(100, 2e4), xlim=(0, None))
axes.legend(frameon=False, title="labels: what a cold start is worth (GB-s)")
plt.show()

# %%
for _, row in own.iterrows():
    alike = np.interp(row["cold"], cold_fixed[::-1], waste_fixed[::-1])
    print(f"worth {row['worth']:4.0f} GB-s: {row['cold']:6,.0f} cold starts for {row['waste']:8,.0f} GB-s;"
          f" one window with as many wastes {alike:8,.0f}, {alike / row['waste']:.1f} times as much")  # fmt: skip

# %% [markdown]
# What this leaves out: starts take time on a real platform, instances have a maximum life, memory has a limit. With
# start-up times a longer window can even have *more* cold starts (`docs/surprises.md`). The curve is where to begin;
# the simulation of the two or three windows that it suggests, on the platform that you have, is where to end.
