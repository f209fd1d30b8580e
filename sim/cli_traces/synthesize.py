"""``keepwarm traces synthesize``: make a trace by a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from sim import config
from sim.cli_traces.words import say, trusting, written
from sim.core.build import build, check_type
from sim.core.errors import ConfigError, KeepwarmError
from sim.workload.synthesis import Synthesizer

ROOT: Final = "traces"


def synthesize(words: Sequence[str]) -> None:
    """``keepwarm traces synthesize``: make a trace by a recipe and save it."""
    parser = trusting("synthesize")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--cfg", action="store_true")
    parser.add_argument("--config-dir", type=Path, action="append", default=[])
    given = parser.parse_intermixed_args(list(words))
    overrides = [*given.overrides, "out=null"] if given.cfg else given.overrides
    values = config.plain(config.compose_config(overrides, name=ROOT, extra=given.config_dir))
    console = Console()
    if given.cfg:
        say(console, config.to_yaml(values["synthesis"]).rstrip())
        return
    out, replication = _checked(values)
    recipe = build(values["synthesis"], "synthesis", Synthesizer, config.trusted(given.trust))  # type: ignore[type-abstract]
    try:
        trace = recipe.make(replication)
    except KeepwarmError as error:
        raise ConfigError(f"synthesis: {error}") from None
    written(lambda: trace.save(out), out)
    say(console, f"{trace!r}\nwritten to {out}; look at it with: keepwarm traces inspect {out}")


def _checked(values: Mapping[str, Any]) -> tuple[Path, int]:
    for key in values:
        if key not in ("synthesis", "out", "replication"):
            raise ConfigError(f"{key}: there is no such key; there is synthesis, out, replication")
    check_type(values["out"], str, "out")
    if not values["out"]:
        raise ConfigError("out must be given: out=...")
    check_type(values["replication"], int, "replication")
    if values["replication"] < 0:
        raise ConfigError(f"replication: must be 0 or more, not {values['replication']}")
    return Path(values["out"]), values["replication"]
