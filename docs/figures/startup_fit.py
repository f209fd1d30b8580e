"""Draws startup_fit.png and .svg, and prints the fit errors that docs/startup.md quotes.

Usage: python docs/figures/startup_fit.py FOLDER, with lambda_init.csv (maxday/lambda-perf, Apache-2.0) and
coldstarts_2021.csv (mikhail.io, MIT) in FOLDER.
"""

from __future__ import annotations

import argparse
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

import sim
from sim.core.random import function_keys
from sim.platform.startup import PhasedStart, StartDraws, totals_s
from sim.workload.functions import function_table

FloatArray = npt.NDArray[np.float64]

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"  # Okabe and Ito: told apart by colour-blind eyes
DRAWS = 200_000
WARM_S = 0.025
"""What a client sees of a warm call on AWS (Wang et al., ATC 2018); added to the model, which has no network."""

INIT = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
CLIENT = {"p2.5_s": 0.025, "p16.5_s": 0.165, "median_s": 0.5, "p83.5_s": 0.835, "p97.5_s": 0.975}
RUNTIMES = r"python\d+|nodejs\d+x|ruby\d+|java8_al2|java\d+|dotnet\d+|(go|rust)_on_provided_al2023"

JAVASCRIPT = {"runtime": "nodejs22", "package_mb": 0.001, "memory_mb": 428.0}
"""Hello world in JavaScript, the client's case unless it says otherwise: 1 KB, and the memory with which work takes as
long as on average over the client's seven sizes, which it put together."""

LANGUAGES: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {
    ("bylanguage", "JavaScript"): ("JavaScript", {}),
    ("bylanguage", "Python"): ("Python", {"runtime": "python3.12"}),
    ("bylanguage", "Ruby"): ("Ruby", {"runtime": "ruby3.2"}),
    ("bylanguage", "Java"): ("Java", {"runtime": "java11"}),
    ("bylanguage", "Go"): ("Go", {"runtime": "go"}),
    ("byvpc", "VPC"): ("JavaScript, VPC", {"vpc": True}),
    ("bydocker", "Minimal"): ("image", {"package_kind": "image"}),
    ("bydocker", "+ 100 MB"): ("image, 100 MB", {"package_kind": "image", "package_mb": 100.0}),
    ("bydocker", "+ 5 GB"): ("image, 5 GB", {"package_kind": "image", "package_mb": 5120.0}),
}
PACKAGES = {
    ("bydependencies", label): {"package_mb": mb} for label, mb in (("1 KB", 0.001), ("14 MB", 14.0), ("35 MB", 35.0))
}
MEMORY_MB = (128, 256, 512, 1024, 2048, 4096, 8192)


@cache
def model() -> PhasedStart:
    """The default platform's cold start."""
    start = sim.load_platform("default").start
    if not isinstance(start, PhasedStart):
        raise TypeError("the default platform has no phased start")
    return start


def draws(**columns: Any) -> tuple[StartDraws, FloatArray]:
    """The default platform's starts of one function: the draws, and float64[DRAWS, P] of them."""
    functions = function_table(pd.DataFrame([{"name": "f", **columns}]))
    bound = model().bind(functions, 0, 0, *function_keys([""], ["f"], ["f"]))
    return bound, bound.draw_many(np.zeros(DRAWS, np.int64), np.arange(DRAWS))


def model_init(runtime: str, kind: str) -> FloatArray:
    """Quantiles, then mean, of the phase "runtime"; seconds."""
    bound, phase_s = draws(runtime=runtime, package_kind=kind)
    init_s = phase_s[:, bound.phases.index("runtime")]
    return np.append(np.quantile(init_s, list(INIT.values())), init_s.mean())


def model_client(**columns: Any) -> FloatArray:
    """Quantiles of the start-up and the load of the handler as a client would see them; seconds."""
    return np.quantile(totals_s(draws(**JAVASCRIPT | columns)[1]) + WARM_S, list(CLIENT.values()))


def runtime_name(measured: str) -> str:
    """lambda-perf's name of a runtime in AWS's spelling: python312 is python3.12, nodejs22x is nodejs22."""
    name = re.sub(r"_on_provided_.*|x$", "", measured).replace("_al2", ".al2")
    return re.sub(r"^(python|ruby)(\d)(\d+)$", r"\1\2.\3", name)


def measured_init(folder: Path) -> pd.DataFrame:
    """x86_64 init times of the runtimes that the model names; seconds, a row a (runtime, package, memory_mb)."""
    table = pd.read_csv(folder / "lambda_init.csv")
    table = table[(table["arch"] == "x86_64") & (table["snapstart"] == 0) & table["runtime"].str.fullmatch(RUNTIMES)]
    table = table.assign(runtime=table["runtime"].map(runtime_name), first_s=table["mean_first_invoke_ms"] / 1000)
    for name in (*INIT, "mean"):
        table[name] = table[f"init_{name}_ms"] / 1000
    return table.set_index(["runtime", "package", "memory_mb"])[[*INIT, "mean", "first_s"]]


def measured_client(folder: Path) -> pd.DataFrame:
    """AWS cold starts as a client saw them: seconds, a row a (breakdown, label)."""
    table = pd.read_csv(folder / "coldstarts_2021.csv")
    return table[table["provider"] == "aws"].set_index(["breakdown", "label"])[list(CLIENT)]


def errors(measured: FloatArray, modelled: FloatArray) -> str:
    """Relative errors of the model, in percent, as cells of a Markdown table."""
    return " | ".join(f"{100 * error:+.0f}" for error in modelled / measured - 1)


def plot_init(axes: Axes, table: pd.DataFrame, kind: str) -> None:
    """Measured (four memory sizes) against modelled quantiles, a line a runtime."""
    rows = table.xs(kind, level="package")
    names = table.xs("zip", level="package")["p50"].groupby("runtime").median().sort_values().index
    for y, name in enumerate(names):
        measured, modelled = rows.loc[name, [*INIT, "mean"]].to_numpy(), model_init(name, kind)
        sys.stdout.write(f"| {name} | {kind} | {errors(np.median(measured, axis=0), modelled)} |\n")
        for q, colour in enumerate((BLUE, GREEN, ORANGE)):
            axes.plot(measured[:, q], np.full(len(measured), y), "o", mfc="none", mec=colour, ms=4.2, mew=0.7)
            axes.plot(modelled[q], y, "|", color=colour, ms=8, mew=1.6)
    axes.set(xscale="log", title=f"init, {kind}", xlabel="init time (s)", yticks=range(len(names)), yticklabels=names)
    axes.set(xlim=(0.013, 1.1))
    axes.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5, 1], ["0.02", "0.05", "0.1", "0.2", "0.5", "1"])
    axes.minorticks_off()
    axes.grid(lw=0.3, color="#dddddd")


def plot_range(axes: Axes, at: float, row: FloatArray, colour: str, marker: str) -> None:
    """Median with 67 % (thick) and 95 % (thin) ranges, upright, at one place of the x axis."""
    axes.plot([at, at], row[[0, 4]], color=colour, lw=0.8)
    axes.plot([at, at], row[[1, 3]], color=colour, lw=2.2)
    axes.plot(at, row[2], marker, color=colour, ms=4.5, mec="white", mew=0.4)


def compare(axes: Axes, at: tuple[float, float], name: str, measured: FloatArray, columns: dict[str, Any]) -> None:
    """One case of the client's data beside the model's."""
    modelled = model_client(**columns)
    sys.stdout.write(f"| {name} | {measured[2]:.3f} | {modelled[2]:.3f} | {errors(measured, modelled)} |\n")
    plot_range(axes, at[0], measured, BLUE, "o")
    plot_range(axes, at[1], modelled, ORANGE, "s")


def plot_client(axes: Axes, client: pd.DataFrame) -> None:
    """Languages, network and images."""
    for x, (key, (name, columns)) in enumerate(LANGUAGES.items()):
        compare(axes, (x - 0.14, x + 0.14), name, client.loc[key].to_numpy(), columns)
    axes.set(title="client, by language, network and package kind", ylabel="cold call (s)", ylim=(0, None))
    axes.set_xticks(range(len(LANGUAGES)), [name for name, _ in LANGUAGES.values()], rotation=35, ha="right")


def plot_packages(axes: Axes, client: pd.DataFrame) -> None:
    """Zipped packages by size."""
    for key, columns in PACKAGES.items():
        mb = columns["package_mb"]
        compare(axes, (mb - 0.4, mb + 0.4), f"zip, {key[1]}", client.loc[key].to_numpy(), columns)
    axes.set(title="client, by package size (JavaScript)", xlabel="zipped package (MB)", ylabel="cold call (s)")


def plot_memory(axes: Axes, client: pd.DataFrame) -> None:
    """C# by memory, of 2021 and of today."""
    for mb in MEMORY_MB:
        columns = {"runtime": "dotnetcore3.1", "memory_mb": float(mb)}
        compare(
            axes, (mb * 0.95, mb * 1.05), f"C#, {mb} MB", client.loc[("bymemorycs", f"{mb} MB")].to_numpy(), columns
        )
    today = [model_client(runtime="dotnet8", memory_mb=float(mb))[2] for mb in MEMORY_MB]
    axes.plot(MEMORY_MB, today, "--", color=GREY, lw=1.2)
    axes.annotate("model, dotnet8\n(data of 2026)", (128, 0.36), fontsize=7, color="#555555")
    axes.set(title="client, C# by memory", xlabel="memory (MB)", ylabel="cold call (s)", xscale="log", yscale="log")
    axes.set_xticks(MEMORY_MB, [str(mb) for mb in MEMORY_MB], rotation=35)
    axes.set_yticks([0.3, 0.5, 1, 2, 4], ["0.3", "0.5", "1", "2", "4"])
    axes.minorticks_off()


def plot_modules(axes: Axes, client: pd.DataFrame) -> None:
    """What a package takes beyond that of 1 KB, by memory: the download, and the load of its modules."""
    for breakdown, package_mb, colour in (("bymemoryxl", 14.0, BLUE), ("bymemoryxxxl", 35.0, ORANGE)):
        labels = [f"{mb} MB" for mb in MEMORY_MB]
        large, small = (
            client["median_s"].loc[[(b, label) for label in labels]].to_numpy() for b in (breakdown, "bymemory")
        )
        per_mb = (large - small) / package_mb
        axes.plot(MEMORY_MB, per_mb, "o", mfc="none", color=colour, ms=5, label=f"measured, {package_mb:.0f} MB")
        modelled = [
            (model_client(package_mb=package_mb, memory_mb=float(mb))[2] - model_client(memory_mb=float(mb))[2])
            / package_mb
            for mb in MEMORY_MB
        ]
        sys.stdout.write(f"| beyond 1 KB, {package_mb:.0f} MB | {errors(per_mb, np.array(modelled))} |\n")
    axes.plot(MEMORY_MB, modelled, "-", color="black", lw=1, label="model")
    axes.set(title="client, JavaScript beyond a package of 1 KB", xlabel="memory (MB)", ylabel="s per MB of package")
    axes.set(xscale="log", ylim=(0, 0.13))
    axes.set_xticks(MEMORY_MB, [str(mb) for mb in MEMORY_MB], rotation=35)
    axes.minorticks_off()
    axes.legend(fontsize=7, frameon=False, loc="lower left")


def plot_first_call(axes: Axes, init: pd.DataFrame) -> None:
    """Init does not depend on memory, the first call does."""
    for name, colour, marker in (("dotnet8", ORANGE, "s"), ("java21", BLUE, "o"), ("python3.12", GREEN, "^")):
        rows = init.loc[(name, "zip")]
        axes.plot(rows.index, rows["p50"], "-", marker=marker, color=colour, ms=4, lw=1, label=f"{name}: init, p50")
        axes.plot(rows.index, rows["first_s"], ":", marker=marker, color=colour, ms=4, lw=1, mfc="white",
                  label=f"{name}: first call, mean")  # fmt: skip
        bound, _ = draws(runtime=name, memory_mb=128.0)
        if name != "python3.12":  # whose modules are none here
            modelled = 128.0 * bound.offset[0, bound.phases.index("handler")] / rows.index.to_numpy()
            axes.plot(
                rows.index,
                modelled,
                "-",
                color="black",
                lw=0.6,
                label="first call, model" if colour == ORANGE else None,
            )
            sys.stdout.write(f"| first call, {name} | {errors(rows['first_s'].to_numpy(), modelled)} |\n")
    axes.set(
        title="init and first call by memory (zip)", xlabel="memory (MB)", ylabel="time (s)", xscale="log", yscale="log"
    )
    axes.set(ylim=(0.0011, 1.3))
    axes.set_xticks(rows.index, [str(mb) for mb in rows.index])
    axes.set_yticks([0.002, 0.01, 0.1, 1], ["0.002", "0.01", "0.1", "1"])
    axes.minorticks_off()
    axes.legend(fontsize=6.5, frameon=False, ncols=2, loc="upper center", bbox_to_anchor=(0.45, -0.18))


def figure(folder: Path) -> plt.Figure:
    """The whole figure; prints the errors on the way."""
    init, client = measured_init(folder), measured_client(folder)
    drawn, panels = plt.subplot_mosaic(
        [["zip", "image"], ["package", "memory"], ["modules", "first"], ["client", "client"]],
        figsize=(7.4, 12.2), height_ratios=(1.55, 1, 1, 1), layout="constrained",
    )  # fmt: skip
    for kind in ("zip", "image"):
        plot_init(panels[kind], init, kind)
    plot_client(panels["client"], client)
    plot_packages(panels["package"], client)
    plot_memory(panels["memory"], client)
    plot_modules(panels["modules"], client)
    plot_first_call(panels["first"], init)
    marks = [Line2D([], [], ls="", marker="o", mfc="none", mec=colour) for colour in (BLUE, GREEN, ORANGE)]
    marks.append(Line2D([], [], ls="", marker="|", color="black", ms=8, mew=1.6))
    labels = ["measured p50", "p90", "p99", "model"]
    panels["zip"].legend(marks, labels, fontsize=7, loc="lower right")
    ranges = [Line2D([], [], color=BLUE, marker="o", lw=2.2), Line2D([], [], color=ORANGE, marker="s", lw=2.2)]
    for name in ("package", "client", "memory"):
        place = "upper right" if name == "memory" else "upper left"
        panels[name].legend(ranges, ["measured: median, 67 %, 95 %", "model"], fontsize=7, frameon=False, loc=place)
    panels["image"].tick_params(labelleft=False)
    return drawn


def main() -> None:
    """Draw, save beside this file, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    style = {"font.size": 8, "axes.titlesize": 8.5, "axes.titleweight": "bold", "svg.hashsalt": "keepwarm"}
    with mpl.rc_context(style):
        drawn = figure(folder)
        here = Path(__file__).resolve().parent
        drawn.savefig(here / "startup_fit.png", dpi=200, metadata={"Software": None})
        drawn.savefig(here / "startup_fit.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
