"""Runs as their overrides compose them, and configs written for tests."""

from pathlib import Path

from sim import config, run_config
from sim.core.build import Trust

FOLDER = config.config_dir()
ALONE = ["executor.jobs=1", "report=false"]  # workers would not find the modules that these tests swap
SMALL = ["platform=constant_start", "policy=[fixed_1m]", *ALONE]


def build(*overrides: str, extra: tuple[Path, ...] = ()) -> run_config.Run:
    composed = config.plain(config.compose_config(overrides, extra=extra))
    return run_config.build_run(composed, [*extra, FOLDER], Trust())


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
