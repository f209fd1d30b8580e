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
# # How far is the simulator from real AWS Lambda?
#
# Mahmoudi and Khazaei called a function on AWS Lambda for about 28 hours at each of four rates, and kept for every
# call whether it was *cold* ("Performance Modeling of Serverless Computing Platforms", 2020). We replay the very same
# calls and compare the flags one by one. That is a hard test: a model may have the right share of cold calls and
# every single one of them in the wrong place.
#
# The measurements are not part of the project. This notebook looks for them where the environment variable
# `KEEPWARM_MEASUREMENTS` says, else in `../shared/measurements` beside the project; without them its tables are
# empty.

# %%
# %matplotlib inline
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import sim
from sim.experiment.aws_lambda_2020 import Model, predict, read_measurements, score
from sim.report.palette import COLORS
from sim.report.style import STYLE

plt.rcParams.update(STYLE | {"figure.dpi": 110, "figure.figsize": (7.0, 3.2), "text.parse_math": True})
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)

said = os.environ.get("KEEPWARM_MEASUREMENTS")
folders = [Path(said)] if said else [Path(up) / "shared/measurements" for up in ("..", "../..")]
folder = next((f / "aws_lambda_2020" for f in folders if (f / "aws_lambda_2020").is_dir()), None)
measured = read_measurements(folder) if folder else []
if not measured:
    print("The measurements are not here, so there is nothing to compare: set KEEPWARM_MEASUREMENTS to their folder.")
pd.DataFrame(
    {
        "rate (1/s)": [m.rate for m in measured],
        "calls": [len(m.arrival_s) for m in measured],
        "hours": [round(m.arrival_s[-1] / 3600, 1) for m in measured],
        "cold (%)": [round(100 * m.is_cold.mean(), 2) for m in measured],
        "median response (s)": [round(float(np.median(m.response_s)), 3) for m in measured],
    }
)

# %% [markdown]
# The rarer the calls, the more of them are cold. That is all that a fixed window has to explain at first sight.
#
# ## Three models
#
# - **usual**: a window of 630 s and a maximum life of 7,200 s, the constants of the literature;
# - **usual, corrected**: the same, but shown the times at which calls must have reached the platform. The client
#   opens its connections anew after long pauses, and gets its answer a little after the instance is free;
# - **ours**: two windows. All instances of a function go 640 s after the end of its latest call, a surplus one after
#   1,300 s of its own idling; and a life of 7,150 s.

# %%
usual = Model(sim.policies.FixedWindow(630), sim.Platform(start_s=0.0, max_lifetime_s=7200), as_seen=True)
models = {
    "usual": usual,
    "usual, corrected": Model(usual.policy, usual.platform),
    "ours": Model(sim.policies.FunctionIdleWindow(640, 1300), sim.Platform(start_s=0.0, max_lifetime_s=7150)),
}
scores = pd.DataFrame(
    [
        {"rate": m.rate, "model": name, **score(m.is_cold, predict(m, model))}
        for m in measured
        for name, model in models.items()
    ],
    columns=["rate", "model", "calls", "wrong", "agreement", "precision", "recall", "p_cold", "measured_p_cold",
             "measured_low", "measured_high"],
)  # fmt: skip
scores[["rate", "model", "calls", "wrong", "agreement", "precision", "recall"]].round(4)

# %%
total = scores.groupby("model", sort=False)["wrong"].sum()
flags = int(scores.drop_duplicates("rate")["calls"].sum())
for name, wrong in total.items():
    print(f"{name:>16}: {wrong:3,.0f} of {flags:,} flags are wrong")

# %% [markdown]
# Nearly all flags are right, which says little: a model that calls every call warm would be right for most of them
# too. So look at the cold ones. *Precision* is how many of the predicted cold calls were cold, *recall* how many of
# the cold ones were predicted. At the highest rate, where cold calls are rarest, no model does well.

# %%
if measured:
    figure, axes = plt.subplots(layout="constrained")
    rates = np.array([m.rate for m in measured])
    real = scores.drop_duplicates("rate")
    reach = [real["measured_p_cold"] - real["measured_low"], real["measured_high"] - real["measured_p_cold"]]
    axes.errorbar(rates, 100 * real["measured_p_cold"], yerr=100 * np.array(reach), fmt="o", color="#222222", capsize=3,
                  label="measured, 95 %")  # fmt: skip
    for shift, (name, own) in zip((0.88, 0.94, 1.06), scores.groupby("model", sort=False), strict=True):
        axes.plot(own["rate"] * shift, 100 * own["p_cold"], marker="D", markersize=4, linestyle="none", label=name)
    axes.set(xscale="log", yscale="log", xlabel="calls a second", ylabel="cold calls (%)")
    axes.set_xticks(rates, [f"{rate:g}" for rate in rates])
    axes.set_yticks([0.5, 1, 2, 5, 10, 20, 40], ["0.5", "1", "2", "5", "10", "20", "40"])
    axes.minorticks_off()
    axes.legend(frameon=False)
    plt.show()
    inside = scores["p_cold"].between(scores["measured_low"], scores["measured_high"])
    for name, count in inside.groupby(scores["model"], sort=False).sum().items():
        print(f"{name:>16}: the share of cold calls lies in the measured interval at {count} of {len(measured)} rates")

# %% [markdown]
# ## What an agreement of shares hides
#
# How good could a model be by luck? Take the right *number* of cold calls and put them anywhere. And the other way
# round: how much does it matter which window is taken? Wrong flags and the share of cold calls, for windows around
# the usual one:

# %%
window_s = np.arange(300, 1201, 30)
sweep = pd.DataFrame(
    [
        {"rate": m.rate, "window_s": window, **score(m.is_cold, predict(m, Model(policy, usual.platform)))}
        for m in measured
        for window, policy in ((window, sim.policies.FixedWindow(float(window))) for window in window_s)
    ],
    columns=["rate", "window_s", "wrong", "p_cold", "measured_p_cold"],
)
if measured:
    figure, (left, right) = plt.subplots(1, 2, layout="constrained")
    for rate, own in sweep.groupby("rate"):
        left.plot(own["window_s"], own["wrong"], label=f"{rate:g}")
        right.plot(own["window_s"], own["p_cold"] / own["measured_p_cold"])
    left.set(xlabel="window (s)", ylabel="wrong flags", ylim=(0, None))
    left.legend(frameon=False, title="calls a second")
    right.axhline(1.0, color="#8A8A8A", linewidth=0.8, linestyle=":")
    right.set(xlabel="window (s)", ylabel="share of cold calls, predicted / measured", yscale="log")
    right.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    right.minorticks_off()
    plt.show()

# %%
drawn = np.random.default_rng(0)
for m in measured:
    cold, calls = int(m.is_cold[1:].sum()), m.is_cold.size - 1
    anywhere = [np.count_nonzero(m.is_cold[1:] != drawn.permutation(m.is_cold[1:])) for _ in range(200)]
    best = sweep[sweep["rate"] == m.rate].nsmallest(1, "wrong").iloc[0]
    print(f"{m.rate:6.4f}/s: {cold:3d} cold of {calls:,}; placed at random {np.mean(anywhere):5.1f} flags are wrong, "
          f"by the best single window ({best['window_s']:.0f} s) {best['wrong']:.0f}")  # fmt: skip

# %% [markdown]
# The minimum of the wrong flags is sharp where calls are rare, and stands at nearly the same place for three of the
# rates: the window is really there. At the highest rate it is flat. There one instance is nearly always warm, and
# cold are the calls that come while it is busy and need a second one.
#
# ## Where the wrong ones are
#
# For every call, how long the function had been idle before it; calls that came while another ran are at one second.

# %%
places = {"while another call ran": 0, "after a time well below the window": 0, "near the window, or later": 0}
if measured:
    figure, axes = plt.subplots(layout="constrained")
    for place, m in enumerate(measured):
        wrong = predict(m, models["ours"]) != m.is_cold
        wrong[0] = False  # the first call of a file is not judged: its instance is older than the file
        busy_until_s = np.maximum.accumulate(m.arrival_s + m.response_s)
        idle_s = np.maximum(np.append(0.0, m.arrival_s[1:] - busy_until_s[:-1]), 1.0)
        places["while another call ran"] += int((wrong & (idle_s <= 1)).sum())
        places["after a time well below the window"] += int((wrong & (idle_s > 1) & (idle_s < 600)).sum())
        places["near the window, or later"] += int((wrong & (idle_s >= 600)).sum())
        height = place + drawn.uniform(-0.25, 0.25, idle_s.size)
        axes.plot(idle_s[~wrong], height[~wrong], ".", color="#BBBBBB", markersize=1.5)
        axes.plot(idle_s[wrong], height[wrong], "x", color=COLORS[1], markersize=5)
    axes.axvline(640, color=COLORS[0], linewidth=0.8, linestyle=":")
    axes.set(
        xscale="log",
        xlabel="time since the function's latest call had ended (s, at least 1); crosses: the flag is wrong",
        ylabel="calls a second",
        yticks=range(len(measured)),
        yticklabels=[f"{m.rate:g}" for m in measured],
    )
    plt.show()  # fmt: skip

# %%
for where, count in places.items():
    print(f"{count:3d} wrong flags of calls that came {where}")

# %% [markdown]
# Hardly any wrong flag lies at the window: that is where the model is right. Most calls that are foretold wrongly
# came while another one ran, and ask whether there is a *second* instance. The others came after short pauses, and
# were cold though no window can have run out, or the other way round: an instance had ended of itself.
#
# ## What to make of it
#
# Windows and a maximum life explain nearly everything that was measured; what is left over are instances that ended
# earlier or later than anything known of them says. The parameters of *ours* were chosen with these very files in
# view, so its few wrong flags are no test on unseen data; with each file left out of the choice they are slightly
# more. And it is Lambda in 2020, one function, pools of one to three instances. The evidence, and what remains
# unexplained, is in [docs/aws_lambda_2020.md](../docs/aws_lambda_2020.md).

# %%
if measured:
    best_s = sweep.loc[sweep.groupby("rate")["wrong"].idxmin()].set_index("rate")["window_s"]
    assert best_s.loc[:0.01].between(600, 690).all()
    assert places["near the window, or later"] < 0.1 * sum(places.values())
    assert total.to_dict() == {"usual": 85, "usual, corrected": 67, "ours": 55}  # as the docs say
