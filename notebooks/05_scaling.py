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
# # How many instances, and who decides?
#
# On AWS Lambda a request that finds no idle instance starts one. On Kubernetes a *control loop* looks at metrics every
# few seconds and says how many instances there are to be; requests wait in a queue for what it has decided. This
# notebook watches such a loop at work on one burst, and then asks what each way of scaling costs on a real mix of
# functions.

# %%
# %matplotlib inline
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

import sim
from sim.policies import FixedWindow, Knative, KubernetesHpa, LambdaScaling
from sim.report.palette import COLORS
from sim.report.style import STYLE
from sim.report.table import comparison_markdown

plt.rcParams.update(STYLE | {"figure.dpi": 110, "figure.figsize": (7.0, 3.2)})
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)

# %% [markdown]
# ## One burst
#
# A function is called once a second. After two minutes sixty calls a second come, for half a minute, then one a second
# again. Each runs for half a second; a pod takes ten at a time and needs two seconds to start.

# %%
calm_s, burst_s = np.arange(0.0, 420.0, 1.0), np.arange(120.0, 150.0, 1 / 60)
arrival_s = np.sort(np.concatenate([calm_s, burst_s]))
burst = sim.Trace.from_arrays([0] * arrival_s.size, arrival_s, 0.5, horizon_s=420.0)
platform = sim.Platform(start_s=2.0, concurrency=10)
runs = {
    "Knative": sim.simulate(burst, Knative(), platform),
    "Knative, no panic": sim.simulate(burst, Knative(panic_threshold=np.inf), platform),
    "window of a minute": sim.simulate(burst, FixedWindow(60), platform),
}

# %% [markdown]
# What was wanted, at every moment? `Result.decisions` has a row each time that it changed, with the reason.

# %%
runs["Knative"].decisions[["time_s", "ready", "in_flight", "waiting", "wanted", "why"]].head(8)

# %%
figure, axes = plt.subplots(layout="constrained")
for label in ("Knative", "Knative, no panic"):
    decisions = runs[label].decisions
    axes.step(
        [*decisions["time_s"], 420.0], [*decisions["wanted"], decisions["wanted"].iloc[-1]], where="post", label=label
    )
axes.set(xlabel="time (s)", ylabel="pods wanted", ylim=(0, None))
axes.axvspan(120, 150, color="#8A8A8A", alpha=0.15, linewidth=0)
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# The grey band is the burst. In *panic* the loop looks at the last six seconds instead of the last minute, and never
# takes pods away; without it the average of a minute notices late, and half of it. What did the calls of the burst
# see?

# %%
for label, result in runs.items():
    calls = result.invocations.query("120 <= arrival_s < 150")
    waited_s = calls["start_s"] - calls["arrival_s"]
    print(
        f"{label:>18}: {np.mean(waited_s > 0):5.1%} of the burst waited, the unluckiest {waited_s.max():4.1f} s;"
        f" {result.summary['mean_instances']:.1f} instances on average"
    )
slowest = {label: (r.invocations["start_s"] - r.invocations["arrival_s"]).max() for label, r in runs.items()}
assert slowest["window of a minute"] <= slowest["Knative"] <= slowest["Knative, no panic"]
held = {label: result.summary["mean_instances"] for label, result in runs.items()}
assert held["Knative, no panic"] < held["window of a minute"] < held["Knative"]

# %% [markdown]
# Starting an instance a call is the fastest answer there is: nobody waits longer than a start. The loop is slower.
# Without panic it is cheaper too, and that is the trade. With panic it is not: it wants what the calls need and the
# queue that they left in the first seconds, at seven tenths of what a pod can take, and holds that for a minute.
#
# ## Forty minutes of four hundred functions
#
# Ten minutes warm up and are not counted.

# %%
trace = sim.load_trace("traces/default").slice(12 * 3600, 12 * 3600 + 2400)
policies = {
    "by the request, 10 min": LambdaScaling(window_s=600),
    "by the request, 1 min": LambdaScaling(window_s=60),
    "Knative": Knative(),
    "Knative, target 1": Knative(target_utilization=1.0),
    "Kubernetes HPA": KubernetesHpa(),
}
table = sim.compare(trace, policies, sim.load_platform("default"), warm_up_s=600.0).set_index("policy", drop=False)
Markdown(comparison_markdown(table))

# %% [markdown]
# Look at the cold starts, and then at the latency beside them. Kubernetes' autoscaler never goes below one pod a
# function, so hardly a call is *cold*; but calls that wait for the slot of a busy pod are *queued*, and those there
# are. Cold starts alone do not rank scaling policies.
#
# A window of a minute and Knative have about as many cold starts. With a target of 0.7 one request in flight makes two
# pods, which costs Knative nearly half as much memory again; with a target of 1 it is level with the window.

# %%
figure, axes = plt.subplots(layout="constrained")
for color, (label, row) in zip(COLORS, table.iterrows(), strict=False):
    axes.plot(row["wasted_gb_s"], row["latency_p99_s"], marker="o", linestyle="none", color=color, label=label)
axes.set(xlabel="wasted memory-time (GB-s)", ylabel="P99 of latency (s)", xlim=(0, None), ylim=(0, None))
axes.legend(frameon=False, fontsize="small")
plt.show()
shares = pd.DataFrame({"cold": table["cold_starts"], "queued": table["queued"]}).div(table["invocations"], axis=0)
shares.map("{:.2%}".format)

# %% [markdown]
# Which is best depends on what waiting is worth, as with windows; but now the choice is among mechanisms. What each of
# them models, and what not, is in [docs/scaling.md](../docs/scaling.md); whole platforms are compared by
# `keepwarm run experiment=platforms`.
