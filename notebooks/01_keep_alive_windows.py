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
# ---

# %% [markdown]
# # How long should an idle instance stay?
#
# A serverless platform starts an instance of a function when a call comes and none is free. That call waits: it is
# *cold*. When it has ended, the platform keeps the instance for a while, the **keep-alive window**, because the next
# call may come soon. A long window costs memory that nobody uses, a short one costs waiting.
#
# This notebook replays the same hours of calls under several windows and reads the answer in four ways: the rate of
# cold starts, the tail of the latency, what it is like for the *rare* function, and money.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

import sim
from sim.report.figures import pareto
from sim.report.palette import COLORS
from sim.report.style import STYLE
from sim.report.table import comparison_markdown

plt.rcParams.update(STYLE | {"figure.dpi": 110, "figure.figsize": (7.0, 3.2), "text.parse_math": True})
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)

# %% [markdown]
# ## The calls
#
# The embedded trace is a synthetic day whose marginals are those published of Azure Functions. Two and a half hours
# around noon are enough here, and keep the notebook short. The first hour warms up: its calls are simulated, but do
# not count.

# %%
trace = sim.load_trace("traces/default").slice(11 * 3600, 13.5 * 3600)
trace

# %% [markdown]
# ## One run
#
# A run is a trace, a policy and a platform. The platform `default` takes its start-up times from measurements of AWS
# Lambda, phase by phase.

# %%
WARM_UP_S = 3600.0
sim.simulate(trace, sim.policies.FixedWindow(600), warm_up_s=WARM_UP_S)

# %% [markdown]
# ## Nine policies on the same calls
#
# `compare` gives every policy the same calls and the same start-up times: what differs between the rows is the
# policy. `clairvoyant` knows every call to come. Nobody can run it, but it shows how much of the waste is the price
# of not knowing.

# %%
minutes = (1, 2, 5, 10, 20, 60)
policies = {
    "none": sim.policies.NoKeepAlive(),
    **{f"{m} min": sim.policies.FixedWindow(60.0 * m) for m in minutes},
    "for ever": sim.policies.KeepForever(),
    "clairvoyant": sim.policies.Clairvoyant(),
}
table = sim.compare(trace, policies, warm_up_s=WARM_UP_S).set_index("policy", drop=False)
Markdown(comparison_markdown(table))

# %% [markdown]
# The figure has both axes to be small: cold calls upwards, wasted memory-time to the right, the fixed ten minutes at
# 1. The line joins what no other policy beats in both.

# %%
figure = pareto(table, {})
figure.set_dpi(110)
figure

# %% [markdown]
# Longer windows buy less and less. The price of *one more* cold start avoided, in memory-time, from each window to
# the next:

# %%
fixed = table.loc[["none", *(f"{m} min" for m in minutes), "for ever"]]
saved = -fixed["cold_starts"].diff()
price = (fixed["wasted_gb_s"].diff() / saved).rename("GB-s for each cold start avoided")
for before, after in zip(fixed.index, fixed.index[1:], strict=False):
    print(f"from {before:>6} to {after:>8}: {saved[after]:8,.0f} fewer cold starts, {price[after]:9,.1f} GB-s for each")
assert price.iloc[1:].is_monotonic_increasing  # the law of diminishing returns, on this trace

# %% [markdown]
# ## The tail of the latency
#
# The median hardly knows what a cold start is: by far most calls are warm. Cold starts live in the tail, so the
# picture to look at is the share of calls that take *longer* than some time, on logarithmic axes.

# %%
chosen = ["none", "1 min", "10 min", "60 min"]
results = {label: sim.simulate(trace, policies[label], warm_up_s=WARM_UP_S) for label in chosen}
latency_s = {}
for label, result in results.items():
    calls = result.invocations[result.invocations["counted"]]
    latency_s[label] = np.sort((calls["end_s"] - calls["arrival_s"]).to_numpy())

figure, axes = plt.subplots(layout="constrained")
for label, values in latency_s.items():
    axes.step(values, 1.0 - np.arange(1, values.size + 1) / values.size, where="post", label=label, linewidth=1.2)
axes.set(xscale="log", yscale="log", xlim=(1e-2, 100), ylim=(1e-4, 1.2), xlabel="latency (s)",
         ylabel="share of calls that take longer")  # fmt: skip
axes.legend(title="window", frameon=False)
plt.show()

# %%
for label, values in latency_s.items():
    p50, p99, p999 = np.quantile(values, [0.5, 0.99, 0.999])
    print(f"{label:>7}: P50 {1000 * p50:6,.0f} ms   P99 {p99:5.2f} s   P99.9 {p999:5.1f} s")
gain = np.quantile(latency_s["1 min"], 0.99) - np.quantile(latency_s["60 min"], 0.99)
print(f"Between one minute and an hour lie {gain:.2f} s at P99; beyond that the calls' own durations rule.")

# %% [markdown]
# Where two lines run together, the window makes no difference: those calls are slow because they *run* long. A policy
# is judged where the lines are apart.
#
# ## The rare function
#
# Most calls belong to a few busy functions, and these are warm under nearly any window. Shahrad et al. therefore ask
# of every **app** which share of its calls was cold, and look at the distribution over apps.

# %%
figure, axes = plt.subplots(layout="constrained")
shares = {}
for label in chosen[1:]:
    apps = results[label].functions.groupby(["owner", "app"])[["cold", "started"]].sum().query("started > 0")
    shares[label] = np.sort(100 * apps["cold"] / apps["started"])
    below = 100 * np.arange(1, len(apps) + 1) / len(apps)
    axes.step(shares[label], below, where="post", label=label, linewidth=1.2)
axes.axhline(75, color="#8A8A8A", linewidth=0.8, linestyle=":")
axes.set(xlabel="cold calls of the app (%)", ylabel="apps with no more than that (%)", ylim=(0, 101))
axes.legend(title="window", frameon=False, loc="lower right")
plt.show()
for label, values in shares.items():
    rate = table.loc[label, "cold_start_rate"]
    print(
        f"{label:>6}: {rate:6.2%} of all calls are cold, but {np.quantile(values, 0.75):5.1f} % of those of the P75 app"
    )

# %% [markdown]
# Both numbers are true. The first is what the platform's operator sees, the second what the owner of a rarely used
# app lives with. Say which one you mean.
#
# ## Money
#
# The user pays for executions, and hardly notices the window. The provider pays for every instance, idle or not.

# %%
figure, axes = plt.subplots(layout="constrained")
window_min = [0, *minutes]
paid = fixed.iloc[: len(window_min)]
for column, label in (("user_cost_per_million_usd", "the user pays"),
                      ("provider_cost_per_million_usd", "the provider pays for memory")):  # fmt: skip
    axes.plot(window_min, paid[column], marker="o", markersize=4, label=label)
axes.set(xlabel="window (min)", ylabel="USD per million calls", ylim=(0, None))
axes.legend(frameon=False)
plt.show()
more = paid["provider_cost_per_million_usd"]
print(f"From ten minutes to an hour the provider pays {more['60 min'] / more['10 min'] - 1:.0%} more.")

# %% [markdown]
# So what is the right window? It depends on what a cold start is *worth*. Put a price on it, and the best window
# follows.

# %%
worth_usd = np.geomspace(1e-6, 1e-2, 9)
total = pd.DataFrame(
    {f"{worth:.0e}": paid["provider_cost_usd"] + worth * paid["cold_starts"] for worth in worth_usd}, index=paid.index
)
best = total.idxmin().rename_axis("a cold start is worth (USD)").rename("best window")
best.to_frame()

# %% [markdown]
# The next notebooks go on from here: [a policy of your own](02_your_own_policy.ipynb), and [which window suits which
# function](03_from_trace_to_window.ipynb).
