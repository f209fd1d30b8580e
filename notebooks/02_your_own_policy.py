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
# # Your own policy in twenty lines
#
# A keep-alive policy answers one question: how long does an instance stay that has just become idle? This notebook
# writes a policy that learns the answer from each function's own past, has it checked, compares it with what there
# is, and finds out why it loses.

# %%
# %matplotlib inline
from dataclasses import dataclass
from math import inf

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown

import sim
from sim.policies.keepalive.rule import Rule
from sim.report.figures import pareto
from sim.report.palette import COLORS
from sim.report.style import STYLE
from sim.report.table import comparison_markdown
from sim.testing import check_policy

plt.rcParams.update(STYLE | {"figure.dpi": 110, "figure.figsize": (7.0, 3.2), "text.parse_math": True})
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)

# %% [markdown]
# ## A window that is known
#
# The simplest policy returns a number. A policy is a *value*, a frozen dataclass: it holds parameters, and never what
# it has seen in a run. So two equal policies are the same policy, in any order, on any machine.


# %%
@dataclass(frozen=True)
class Minutes(sim.policies.KeepAlive):
    """Keep every idle instance for `minutes`."""

    minutes: float = 10.0

    def windows_s(self, future):
        return 60.0 * self.minutes


check_policy(Minutes, minutes=5.0)
Minutes(minutes=5.0)

# %% [markdown]
# ## A rule that learns
#
# Our policy keeps an instance a little longer than the function's recent idle times: for the **longest of the last
# eight**, and a tenth more. Until it has seen three it keeps for ten minutes. Two bounds keep it sane.
#
# A rule is two plain functions over a short list of floats, the *state* of one function. `observe` is shown each idle
# time when it ends; `decide` says what becomes of an instance that is idle now: unload it after so many seconds,
# prewarm one after so many more (never, here: infinity), and keep that for so long.


# %%
@dataclass(frozen=True)
class LongestOfLast(sim.policies.KeepAlive):
    """Keep for the longest of the last `last` idle times, times `margin`; `first_s` until `enough` are seen."""

    last: int = 8
    margin: float = 1.1
    enough: int = 3
    first_s: float = 600.0
    least_s: float = 60.0
    most_s: float = 3600.0

    def rule(self):
        last, margin, enough = self.last, self.margin, self.enough
        first_s, least_s, most_s = self.first_s, self.least_s, self.most_s

        def observe(state, gap_s):
            state[int(state[last]) % last] = gap_s
            state[last] += 1.0

        def decide(state, u):
            seen = int(state[last])
            if seen < enough:
                return first_s, inf, 0.0
            longest_s = max(state[place] for place in range(min(seen, last)))
            return min(max(margin * longest_s, least_s), most_s), inf, 0.0

        return Rule((0.0,) * (last + 1), observe, decide)


# %% [markdown]
# A rule can be tried by hand, without any simulation. Here is a timer of five minutes that once takes a break:

# %%
rule = LongestOfLast().rule()
state = list(rule.state)
for gap_s in (300.0, 300.0, 300.0, 1800.0, 300.0):
    rule.observe(state, gap_s)
    print(f"after a gap of {gap_s:6,.0f} s it keeps for {rule.decide(state, 0.0)[0]:6,.0f} s")

# %% [markdown]
# ## Have it checked
#
# `check_policy` is one line, for your own tests too. It holds a policy against the rules that all of them follow:
# decisions are seconds, they do not depend on the future, nothing is remembered outside the state, and more.

# %%
check_policy(LongestOfLast)
check_policy(LongestOfLast, last=3, margin=1.5)

# %% [markdown]
# What does it catch? The usual mistake is to keep what was seen in the policy itself. Then one function learns from
# another, and the second run from the first:


# %%
@dataclass(frozen=True)
class Forgetful(sim.policies.KeepAlive):
    """Meant to keep for the longest gap of a function; really for that of all functions of all runs."""

    seen: tuple = ()

    def rule(self):
        gaps_s = [600.0]

        def observe(state, gap_s):
            gaps_s.append(gap_s)

        def decide(state, u):
            return max(gaps_s), inf, 0.0

        return Rule((0.0,), observe, decide)


try:
    check_policy(Forgetful)
except sim.PolicyError as error:
    caught = str(error)
print(caught)
assert "state" in caught

# %% [markdown]
# ## Compare it
#
# Four hours of the default trace, on a platform where each start takes half a second: then nothing is random, and
# every difference is the policy's. The first hour is for learning. The right opponent is not only the usual ten
# minutes, but also a fixed window that **wastes as much** as ours: whoever spends more memory should have fewer cold
# starts.

# %%
trace = sim.load_trace("traces/default").slice(9 * 3600, 13 * 3600)
platform = sim.load_platform("constant_start", start_s=0.5)
policies = {
    "10 min": sim.policies.FixedWindow(600),
    "20 min": sim.policies.FixedWindow(1200),
    "60 min": sim.policies.FixedWindow(3600),
    "P95 of all gaps": sim.policies.AdaptiveWindow(),
    "histogram": sim.policies.HybridHistogram(),
    "longest of last 8": LongestOfLast(),
    "longest, 10 min at least": LongestOfLast(least_s=600.0),
}
table = sim.compare(trace, policies, platform, warm_up_s=3600).set_index("policy", drop=False)
Markdown(comparison_markdown(table))

# %%
figure = pareto(table, {})
figure.set_dpi(110)
figure

# %% [markdown]
# Our rule is a disappointment, and an instructive one: it lies above the line, on which the plain windows are.

# %%
ours, usual, alike = (table.loc[label] for label in ("longest of last 8", "10 min", "20 min"))
print(f"cold calls:         {ours['cold_start_rate']:.2%}, ten minutes {usual['cold_start_rate']:.2%}, "
      f"twenty {alike['cold_start_rate']:.2%}")  # fmt: skip
print(f"wasted memory-time: {ours['wasted_normalised']:.2f}, ten minutes {usual['wasted_normalised']:.2f}, "
      f"twenty {alike['wasted_normalised']:.2f}")  # fmt: skip
assert ours["cold_start_rate"] > usual["cold_start_rate"] > alike["cold_start_rate"]
assert ours["wasted_normalised"] > usual["wasted_normalised"]

# %% [markdown]
# ## Where does it lose?
#
# The tables of functions of two runs, side by side, by trigger: how many cold starts and how much idle memory-time
# there are more, or fewer, than under ten minutes.

# %%
runs = {name: sim.simulate(trace, policies[name], platform, warm_up_s=3600) for name in ("10 min", "longest of last 8")}
cold, idle_gb_s = (
    pd.DataFrame({name: column(run.functions).groupby(run.functions["trigger"]).sum() for name, run in runs.items()})
    for column in (lambda table: table["cold"], lambda table: table["idle_s"] * table["memory_mb"] / 1024)
)
figure, both = plt.subplots(1, 2, layout="constrained", sharey=True)
for axes, counted, what in zip(both, (cold, idle_gb_s), ("cold starts", "idle memory-time (1000 GB-s)"), strict=True):
    change = (counted["longest of last 8"] - counted["10 min"]) / (1000 if counted is idle_gb_s else 1)
    axes.barh(change.index, change, color=np.where(change < 0, COLORS[2], COLORS[1]))
    axes.axvline(0, color="#222222", linewidth=0.6)
    axes.set_xlabel(f"{what}, more (+) or less (−)")
both[0].set_ylabel("trigger")
plt.show()

# %% [markdown]
# Timers gain and the busy triggers lose. The reason is in what a rule is shown: an *idle time* of a function runs
# from the moment when **nothing** of it runs to its next call. A busy function is hardly ever wholly idle, its idle
# times are short, and the rule believes that a short window will do. But such a function has several instances, and
# the second one is needed after a gap of its own, which the rule never sees.
#
# That is why the last policy of the table never keeps for less than ten minutes. What it adds is memory for those
# functions only whose gaps are known to be longer:

# %%
floor = table.loc["longest, 10 min at least"]
fewer = 1 - floor["cold_starts"] / usual["cold_starts"]
print(f"{fewer:.0%} fewer cold starts than ten minutes, for {floor['wasted_normalised'] - 1:.0%} more waste;")
print(f"twenty minutes: {1 - alike['cold_starts'] / usual['cold_starts']:.0%} fewer, "
      f"for {alike['wasted_normalised'] - 1:.0%} more")  # fmt: skip
assert floor["cold_start_rate"] < 0.6 * ours["cold_start_rate"]

# %% [markdown]
# So it comes to lie on the line of the plain windows, between ten and twenty minutes: as good as the right window,
# and hardly better. A rule has to earn its keep against *that*, not against ten minutes.
#
# ## A policy that reads the trace's facts
#
# Functions have a trigger, known when they are deployed. A policy that wants to see the table of functions is handed
# the whole trace, calls and all, and must say so (`needs_future`); that it looks at nothing but the triggers is a
# promise.


# %%
@dataclass(frozen=True)
class LongForTimers(sim.policies.KeepAlive):
    """Keep functions that a timer calls for `timer_s`, all others for `window_s`."""

    needs_future = True
    window_s: float = 600.0
    timer_s: float = 60.0

    def windows_s(self, future):
        timer = (future.functions["trigger"] == "timer").to_numpy()
        return np.where(timer[future.function], self.timer_s, self.window_s)


check_policy(LongForTimers)
timers = sim.compare(
    trace,
    {f"timers {m} min": LongForTimers(timer_s=60.0 * m) for m in (1, 10, 16, 61)},
    platform,
    warm_up_s=3600,
).set_index("policy")
timers[["cold_starts", "wasted_normalised", "app_cold_share_p75"]].round(3)

# %% [markdown]
# A timer's gaps are all alike, so a window either covers them or is wasted entirely: what pays is a step, not a
# slope. The next notebook, [from a trace to a window](03_from_trace_to_window.ipynb), takes that up.
#
# ## On the command line
#
# Put the class in a package, and a preset of a few lines beside your configs, `policy/longest_of_last.yaml`:
#
# ```yaml
# # @package policies.longest_of_last
# _target_: mypackage.LongestOfLast
# last: 8
# ```
#
# Then `keepwarm run --config-dir FOLDER --trust mypackage policy='[fixed_10m,longest_of_last]'` compares it, and
# `--multirun policies.longest_of_last.last=3,8,20` sweeps it. Nothing has to be registered.
