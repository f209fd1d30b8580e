"""The command line of traces: ``keepwarm traces list``, ``download``, ``inspect``, ``convert`` and ``synthesize``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Final

from rich.console import Console

from sim.core.errors import ConfigError

USAGE: Final = """keepwarm traces: find traces, look at them, and make them

  keepwarm traces list [NAME] [--folder FOLDER]
      the public traces, and which of them are in FOLDER (traces); of one, NAME,
      its files

  keepwarm traces download NAME [--folder FOLDER] [--files A,B] [--url URL]
      fetch a trace from its publishers, unpack it into FOLDER (traces/NAME), and
      say how to use it; what broke off goes on with the same command, e.g.
      keepwarm traces download huawei2025 --files 'per_request/R2/*'
      --files A,B         not the usual files but these: names or patterns
      --url URL           from another place: of the file, or of a folder, then
                          with / at its end
      --no-checksum       take a file that is not the one expected

  keepwarm traces inspect PATH [KEY=VALUE ...] [--figures FOLDER]
      a trace in numbers and, if asked, in pictures; KEY=VALUE are its format,
      that format's own options and transforms, as in a run's workload, e.g.
      keepwarm traces inspect traces/default --figures figures
      keepwarm traces inspect FOLDER format=azure2019 arrivals=uniform

  keepwarm traces convert PATH out=FOLDER [KEY=VALUE ...]
      read a trace as inspect does, and write it in keepwarm's own form, which is
      small and quick to read, e.g.
      keepwarm traces convert FOLDER share=0.1 days='[1]' out=tenth
      --by-function       in the form that is streamed from disk, calls by function

  keepwarm traces synthesize [OVERRIDES] out=FOLDER
      make a trace by a recipe of configs/synthesis, e.g.
      keepwarm traces synthesize synthesis=flash_crowd \\
          synthesis.functions=50 out=crowd
      --cfg               show the recipe, and make nothing
      --config-dir FOLDER take recipes of your own too (FOLDER/synthesis/*.yaml)

  The last three take --trust PACKAGE (or the environment variable
  KEEPWARM_TRUST) to allow a configuration to name classes of your own package."""


def traces(words: Sequence[str]) -> None:
    """``keepwarm traces``: one of its commands."""
    command = words[0] if words else "--help"
    if command in ("-h", "--help") or {"-h", "--help"} & set(words):
        Console().print(USAGE, markup=False, highlight=False)
        return
    if command not in COMMANDS:
        raise ConfigError(f"there is no command 'traces {command}'; there is {', '.join(COMMANDS)}")
    resolve_name(COMMANDS[command])(words[1:])


COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "list": "sim.cli_traces.publishers:show_list",
        "download": "sim.cli_traces.publishers:download",
        "inspect": "sim.cli_traces.look:inspect",
        "convert": "sim.cli_traces.look:convert",
        "synthesize": "sim.cli_traces.synthesize:synthesize",
    }
)
"""Where the function of each is, imported when it is asked for."""
