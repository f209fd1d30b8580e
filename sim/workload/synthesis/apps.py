"""Apps: how many functions each has, who owns it, what it is written in and how its code is packed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.core.distributions import LogNormal
from sim.core.errors import ConfigError
from sim.workload import checks
from sim.workload.synthesis.draws import FloatArray, WholeArray, choose, log_interpolated, quantiles, stratified


@dataclass(frozen=True)
class Apps:
    """Functions per app and apps per owner.

    Attributes:
        probabilities: of an app having at most `sizes` functions; rising, the last 1.
        sizes: whole numbers, rising from 1; between the points straight on a log axis. Defaults: 54 % of apps have one
            function, 95 % at most 10 (Shahrad et al., USENIX ATC 2020, section 3.2); the largest, 30, is ours.
        second_app: the share of apps whose owner has the app before it too; not published, ours.
    """

    probabilities: tuple[float, ...] = (0.54, 0.95, 1.0)
    sizes: tuple[float, ...] = (1.0, 10.0, 30.0)
    second_app: float = 0.1

    def __post_init__(self) -> None:
        probabilities = checks.rising("probabilities", self.probabilities, low=0.0, high=1.0)
        sizes = checks.rising("sizes", self.sizes, low=1.0)
        if probabilities[-1] != 1.0:
            raise ConfigError(f"probabilities must end at 1, not {probabilities[-1]}")
        if sizes[0] != 1.0:
            raise ConfigError(f"sizes must start at 1, not {sizes[0]}")
        checks.same_length("probabilities", probabilities, "sizes", sizes)
        checks.number("second_app", self.second_app, low=0.0, high=1.0)
        object.__setattr__(self, "probabilities", probabilities)
        object.__setattr__(self, "sizes", sizes)

    def app_sizes(self, functions: int, random: np.random.Generator) -> WholeArray:
        """Functions of each app, at least 1, in random order, adding up to `functions`."""
        apps = max(1, round(functions / float(self._quantiles((np.arange(4096) + 0.5) / 4096).mean())))
        sizes = np.sort(self._quantiles((np.arange(apps) + 0.5) / apps))
        rest = functions - int(sizes.sum())
        for app in reversed(range(apps)):  # the few functions too many or too few are the largest apps'
            change = max(rest, 1 - int(sizes[app]))
            sizes[app] += change
            rest -= change
        return sizes[np.argsort(random.random(apps), kind="stable")]

    def owners(self, apps: int, random: np.random.Generator) -> WholeArray:
        """The owner's number of each app, from 0."""
        same = random.random(apps) < self.second_app
        same[0] = False
        return np.cumsum(~same, dtype=np.int64) - 1

    def _quantiles(self, u: FloatArray) -> WholeArray:
        between = np.ceil(log_interpolated(u, self.probabilities, self.sizes) - 1e-9)
        return np.where(u <= self.probabilities[0], 1, np.maximum(between, 2)).astype(np.int64)


@dataclass(frozen=True)
class Packages:
    """Runtime, code package and network of each app: nothing is published on these, every number is an assumption.

    Attributes:
        runtimes: names, as in the platform's start-up tables.
        shares: of apps, one a runtime, adding up to 1.
        image_share: of apps that are container images and not zip packages.
        zip_median_mb, zip_p99_mb: log-normal weight of a zip package.
        image_median_mb, image_p99_mb: log-normal weight of an image.
        vpc_share: of apps attached to a private network.
    """

    runtimes: tuple[str, ...] = ("python3.12", "nodejs22", "dotnet8", "java21", "go")
    shares: tuple[float, ...] = (0.35, 0.30, 0.17, 0.10, 0.08)
    image_share: float = 0.1
    zip_median_mb: float = 3.0
    zip_p99_mb: float = 50.0
    image_median_mb: float = 150.0
    image_p99_mb: float = 1500.0
    vpc_share: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "runtimes", checks.items("runtimes", self.runtimes, str))
        object.__setattr__(self, "shares", checks.items("shares", self.shares))
        checks.same_length("runtimes", self.runtimes, "shares", self.shares)
        checks.shares("shares", self.shares)
        for name in ("image_share", "vpc_share"):
            checks.number(name, getattr(self, name), low=0.0, high=1.0)
        for kind in ("zip", "image"):
            checks.number(f"{kind}_median_mb", getattr(self, f"{kind}_median_mb"), above=0.0)
            checks.number(f"{kind}_p99_mb", getattr(self, f"{kind}_p99_mb"), low=getattr(self, f"{kind}_median_mb"))

    def columns(self, apps: int, random: np.random.Generator) -> dict[str, np.ndarray]:
        """The columns `runtime`, `package_kind`, `package_mb` (to 0.1 MB) and `vpc`, a row an app."""
        runtime = choose(stratified(apps, random), self.shares)
        is_image = stratified(apps, random) < self.image_share
        u = stratified(apps, random)
        zips = quantiles(LogNormal(self.zip_median_mb, self.zip_p99_mb), u)
        images = quantiles(LogNormal(self.image_median_mb, self.image_p99_mb), u)
        return {
            "runtime": np.array(self.runtimes, object)[runtime],
            "package_kind": np.array(["zip", "image"], object)[is_image.astype(np.int64)],
            "package_mb": np.maximum(np.rint(np.where(is_image, images, zips) * 10.0), 1.0) / 10.0,
            "vpc": stratified(apps, random) < self.vpc_share,
        }
