"""Make the reference of configurations anew: ``python docs/configuration.py`` writes ``docs/configuration.md``.

What a key means is taken from the comments of the presets and from the docstrings of the classes that they name, its
type from their annotations, its unit from its name. A test holds the page against this script.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from math import inf
from pathlib import Path
from typing import Any, Final

from omegaconf import OmegaConf

import sim.policies
import sim.workload.synthesis
from sim import run_config
from sim.core import distributions
from sim.core.build import TARGET, Trust, resolve
from sim.experiment.aws_lambda_2020 import Model
from sim.experiment.executors import Local
from sim.experiment.ray_cluster import Ray
from sim.experiment.replications import Replications
from sim.experiment.variation import GROUPS, SCALARS
from sim.platform.platform import Platform
from sim.platform.startup import by_memory, measured, models, parts
from sim.policies.keepalive.role import KeepAlive
from sim.policies.scaling.hpa_values import Behavior, ScalingPolicy, ScalingRules
from sim.results.pricing import PriceBook, ProviderPrice
from sim.studies.measured_flags import MeasuredFlags
from sim.studies.role import Study
from sim.workload import merging, sampling, transform
from sim.workload.load import READERS

ROOT: Final = Path(__file__).resolve().parent.parent
CONFIGS: Final = ROOT / "configs"
PAGE: Final = ROOT / "docs" / "configuration.md"

UNITS: Final = (
    (r"usd_per_gb_s$", "USD/GB-s"), (r"usd_per_vcpu_s$", "USD/vCPU-s"), (r"usd_per_hour$", "USD/h"),
    (r"usd_per_million_requests$", "USD per million"), (r"vcpu_per_gb$", "vCPU/GB"), (r"vcpu_minimum$", "vCPU"),
    (r"per_day$", "1/day"), (r"calls_per_s$", "1/s"), (r"s_per_mb$", "s/MB"), (r"^s_mb$", "s·MB"),
    (r"percentile$", "%"), (r"^hours$|_h$", "h"), (r"_mb$", "MB"), (r"_gb$", "GB"), (r"_ms$", "ms"), (r"_s$", "s"),
)  # fmt: skip
"""Ends of names and the units they stand for; the first that fits."""
ABSTRACT: Final[Mapping[str, tuple[str, str]]] = types.MappingProxyType({
    "Distribution": ("distribution", "distributions"),
    "StartModel": ("start model", "start-models"),
    "Phase": ("part of a phase", "parts-of-a-phase"),
    "Process": ("process", "recipes"),
    "RateProcess": ("process with a rate", "recipes"),
    "PriceBook": ("price book", "prices"),
    "KeepAlive": ("policy", "policies"),
    "Scaling": ("scaling policy", "policies"),
})  # fmt: skip
"""What is said in place of a class that stands for several, and the section that lists them."""
SECTIONS: Final[Mapping[str, str]] = types.MappingProxyType({
    "workload": "workloads", "platform": "platforms", "policy": "policies", "pricing": "prices", "engine": "engines",
    "executor": "executors", "experiment": "experiments",
})  # fmt: skip
START_MODELS: Final = (models.ConstantStart, models.PhasedStart, measured.HuaweiStarts)
PHASES: Final = (
    parts.Draw, parts.PerPackageMb, parts.PerMemoryMb, parts.PackageWork, by_memory.ByMemoryMb, parts.Choose, parts.Sum
)  # fmt: skip
TRANSFORMS: Final = (
    sampling.RandomSample, sampling.StratifiedSample, sampling.RepresentativeSample, sampling.Windows,
    sampling.RandomWindows, transform.ScaleTime, transform.ScaleRate, transform.Redeploy, merging.Merge,
)  # fmt: skip
DISTRIBUTIONS: Final = (
    distributions.Constant, distributions.LogNormal, distributions.Exponential, distributions.Quantiles
)  # fmt: skip
NUMBER_WORDS: Final = types.MappingProxyType({
    bool: "true or false", int: "whole number", float: "number", str: "text", type(None): "null", Path: "path",
    Any: "anything",
})  # fmt: skip
PLURALS: Final = types.MappingProxyType({int: "whole numbers", float: "numbers", str: "texts"})

ENTRY: Final = re.compile(r"^    (\w+(?:, \w+)*): (.*(?:\n     .*)*)", re.MULTILINE)
"""Of the attributes or arguments in a docstring: one, or several that share a description."""


# What is said where


def paragraphs(cls: type | Callable[..., Any]) -> str:
    """The first paragraph of a docstring, in one line of Markdown."""
    return _line((inspect.getdoc(cls) or "").split("\n\n")[0])


def meanings(documented: type | Callable[..., Any]) -> dict[str, str]:
    """What the docstrings of a class and its bases, or of a function, say of each attribute or argument."""
    found: dict[str, str] = {}
    for one in reversed(documented.__mro__ if isinstance(documented, type) else (documented,)):
        section = re.search(r"\n(?:Attributes|Args):\n(.*?)(?:\n\n|\Z)", inspect.cleandoc(one.__doc__ or ""), re.DOTALL)
        for entry in ENTRY.finditer(section[1] if section else ""):
            found |= dict.fromkeys(entry[1].split(", "), _line(entry[2]).removesuffix("."))
    return found


def comments(preset: Path) -> dict[str, str]:
    """The comments that stand behind the keys of a preset, those that go on below included; keys of the top level."""
    found: dict[str, str] = {}
    key, column = "", 0
    for line in preset.read_text("utf-8").splitlines():
        if said := re.match(r"(\w+):.*?\s(# *)(.*)$", line):
            key, column = said[1], said.start(2)
            found[key] = said[3]
        elif key and line.find("#") == column and not line[:column].strip():
            found[key] += f" {line[column + 1 :].strip()}"
        else:
            key = ""
    return {name: _line(text) for name, text in found.items()}


def head(preset: Path) -> str:
    """The comment that a preset begins with."""
    lines = [line for line in preset.read_text("utf-8").splitlines() if not line.startswith("# @package")]
    first = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = "\n".join(line.removeprefix("#").strip() for line in lines[:first])
    return _line(text.split("\n\n")[0])


def values(preset: Path) -> dict[str, Any]:
    """A preset as it is written, nothing resolved."""
    read = OmegaConf.to_container(OmegaConf.load(preset), resolve=False)
    return {str(key): value for key, value in read.items()} if isinstance(read, dict) else {}


def presets(group: str) -> list[Path]:
    """The presets of a group, in the order of their names."""
    return sorted((CONFIGS / group).glob("*.yaml"))


# Types, units and values in words


def kind(hint: Any) -> str:
    """An annotation in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in NUMBER_WORDS:
        return NUMBER_WORDS[hint]
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(argument) for argument in arguments))
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping to {kind(arguments[1])}"
    if origin is not None:
        if len(arguments) > 1 and Ellipsis not in arguments:
            return f"list of {', '.join(map(kind, arguments))}"
        return f"list of {PLURALS.get(arguments[0]) or kind(arguments[0])}"
    name = getattr(hint, "__name__", str(hint))
    words, anchor = ABSTRACT.get(name, (f"`{name}`", name.lower()))
    return f"[{words}](#{anchor})"


def unit(name: str) -> str:
    """The unit that a name says."""
    return next((unit for end, unit in UNITS if re.search(end, name)), "")


def shown(value: Any) -> str:
    """A value as YAML has it; of a part, its class."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{key}: {shown(item)}" for key, item in value.items() if key != TARGET)
        return f"{str(value[TARGET]).rpartition('.')[2]}" if TARGET in value else f"{{{inside}}}"
    if is_dataclass(value):
        return type(value).__name__
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return ".inf" if value == inf else str(value)


def _default(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"`{shown(field.default)}`"
    return "must be given" if field.default_factory is MISSING else f"`{shown(field.default_factory())}`"


def _line(text: str) -> str:
    """Text of several lines in one, for a cell of a table."""
    joined = " ".join(text.split()).replace("``", "`").replace("|", r"\|")
    linked = re.sub(r"\bdocs/(\w+\.md)", r"[\1](\1)", joined)
    return re.sub(r"\bNone\b", "null", re.sub(r"<(\w+)>", r"&lt;\1&gt;", linked))


# Tables


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown, without the columns that are empty in every row."""
    listed = [list(row) for row in rows]
    kept = [i for i in range(len(heads)) if i == 0 or any(row[i] for row in listed)]
    lines = [[heads[i] for i in kept], ["---"] * len(kept), *([row[i] for i in kept] for row in listed)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def parameters(cls: Any) -> str:
    """The table of what a class takes; nothing for one that takes nothing."""
    said, hints = meanings(cls), typing.get_type_hints(cls)
    rows = [
        (f"`{field.name}`", _default(field), kind(hints[field.name]), unit(field.name), said.get(field.name, ""))
        for field in fields(cls)
        if field.init
    ]
    return table(("key", "default", "type", "unit", "meaning"), rows) if rows else ""


def described(classes: Iterable[type], level: int = 3) -> str:
    """A section for each class: what it is, its full name, and its parameters."""
    sections = [
        f"{'#' * level} {cls.__name__}\n\n{paragraphs(cls)} `{target(cls)}`\n\n{parameters(cls)}".strip()
        for cls in classes
    ]
    return "\n\n".join(sections) + "\n"


def target(cls: type) -> str:
    """What is written as `_target_`: the name that the presets use, else the shortest there is."""
    named = [name for name in _targets() if resolve(name, "docs", Trust()) is cls]
    return min([*named, f"{cls.__module__}.{cls.__qualname__}"], key=len)


def _targets() -> set[str]:
    text = "\n".join(path.read_text("utf-8") for path in CONFIGS.rglob("*.yaml"))
    return set(re.findall(r"_target_: ([\w.]+)", text))


def overview(group: str) -> str:
    """The presets of a group: what each is, and what it sets other than its class does by itself."""
    rows = [(f"`{path.stem}`", _class_link(group, values(path)), _sets(values(path)), head(path))
            for path in presets(group)]  # fmt: skip
    return table(("preset", "class", "sets", "what it is"), rows)


def _class_link(group: str, node: Mapping[str, Any]) -> str:
    """A link to the class of a preset, or of the preset that it begins with."""
    for base in [base for base in node.get("defaults", []) if isinstance(base, str) and base != "_self_"]:
        node = {**values(CONFIGS / group / f"{base}.yaml"), **node}
    name = str(node.get(TARGET, "")).rpartition(".")[2]
    return f"[`{name}`](#{name.lower()})" if name else ""


def _sets(node: Mapping[str, Any]) -> str:
    by_itself = _defaults(node[TARGET]) if TARGET in node else {}
    said = [f"as `{base}`" if isinstance(base, str) else _chosen(base) for base in node.get("defaults", [])
            if base != "_self_"]  # fmt: skip
    for key, value in node.items():
        if key in (TARGET, "defaults", "about", "name", "source") or shown(value) == by_itself.get(key):
            continue
        short = shown(value)
        said.append(f"`{key}={short}`" if len(short) <= 60 else f"`{key}`")
    return ", ".join(said)


def _chosen(entry: Mapping[str, Any]) -> str:
    [(group, name)] = entry.items()
    return f"`{group.removeprefix('override /')}={shown(name)}`"


def _defaults(name: str) -> dict[str, str]:
    cls: Any = resolve(name, "docs", Trust())
    return {field.name: shown(field.default) for field in fields(cls) if field.default is not MISSING}


def run_keys() -> str:
    """The keys of a run that are no component."""
    root, said = values(CONFIGS / "config.yaml"), comments(CONFIGS / "config.yaml")
    hints = run_config.NUMBERS | {
        "vary": Mapping[str, list[Any]] | None,
        "study": Study | None,
        "platform_of": Mapping[str, str] | None,
    }
    rows = [(f"`{key}`", f"`{shown(root[key])}`", _run_kind(key, hints[key]), unit(key), said[key])
            for key in root if key in hints]  # fmt: skip
    return table(("key", "default", "type", "unit", "meaning"), rows)


def _run_kind(key: str, hint: Any) -> str:
    return {
        "replications": "whole number or [`Replications`](#replications)",
        "vary": "mapping to lists, or null",
        "platform_of": "mapping from policies to platforms, or null",
        "study": "[study](#experiments) or null",
    }.get(key) or kind(hint)


def groups() -> str:
    """The groups of a run, and what is taken of each unless told otherwise."""
    rows = []
    for entry in values(CONFIGS / "config.yaml")["defaults"]:
        [(group, chosen)] = entry.items() if isinstance(entry, dict) else [(entry, "")]
        if group == "_self_" or group.startswith("override "):
            continue
        folder, _, package = group.partition("@")
        rows.append(
            (f"`{group}`", f"`{shown(chosen)}`", _key_of(package or folder), f"[{folder}](#{SECTIONS[folder]})")
        )
    return table(("group", "default", "its parameters lie under", "presets"), rows)


def _key_of(group: str) -> str:
    return {"policy": "`policies.PRESET`", "experiment": "(it sets what it likes)"}.get(group, f"`{group}`")


def workload(preset: Path) -> str:
    """The keys of one format: values and comments of its preset, types and whatever else of its reader."""
    node, said = values(preset), comments(preset)
    reader = READERS[str(node["format"])].read if "format" in node else READERS["canonical"].read
    hints, more = typing.get_type_hints(reader), meanings(reader)
    hints |= {"path": str, "format": str, "transforms": list[transform.Transform]}
    rows = [(f"`{key}`", "must be given" if value == "???" else f"`{shown(value)}`", _workload_kind(key, hints[key]),
             unit(key), said.get(key) or more.get(key, "")) for key, value in node.items()]  # fmt: skip
    return f"{head(preset)}\n\n{table(('key', 'default', 'type', 'unit', 'meaning'), rows)}"


def _workload_kind(key: str, hint: Any) -> str:
    return "list of [transforms](#transforms)" if key == "transforms" else kind(hint)


def root(name: str) -> str:
    """The keys of another root than that of a run."""
    node, said = values(CONFIGS / f"{name}.yaml"), comments(CONFIGS / f"{name}.yaml")
    hints = run_config.NUMBERS | {"out": str, "replication": int}
    rows = [(f"`{key}`", "must be given" if value == "???" else f"`{shown(value)}`", kind(hints[key]), unit(key),
             said.get(key, "")) for key, value in node.items() if key != "defaults"]  # fmt: skip
    groups = [item for entry in node["defaults"] if isinstance(entry, dict) for item in entry.items()]
    taken = ", ".join(f"`{group}={choice}`" for group, choice in groups if choice)
    return f"{head(CONFIGS / f'{name}.yaml')} It begins with {taken}.\n\n" + table(
        ("key", "default", "type", "unit", "meaning"), rows
    )


def hydra_keys() -> str:
    """What is set of Hydra itself."""
    node = values(CONFIGS / "config.yaml")["hydra"]
    folders = {
        "hydra.run.dir": (node["run"]["dir"], "the folder of a run, relative to where it is started"),
        "hydra.sweep.dir": (node["sweep"]["dir"], "with `--multirun`: the folder of its jobs, which are numbered"),
    }
    return table(("key", "default", "meaning"), [(f"`{k}`", f"`{v}`", about) for k, (v, about) in folders.items()])


def policies() -> list[type]:
    """The classes of policies, by name."""
    offered = (getattr(sim.policies, name) for name in sorted(sim.policies.__all__))
    return [cls for cls in offered if isinstance(cls, type) and issubclass(cls, KeepAlive) and is_dataclass(cls)]


def synthesis() -> list[type]:
    """The classes that a recipe is made of, the two recipes first."""
    offered = [getattr(sim.workload.synthesis, name) for name in sim.workload.synthesis.__all__]
    made = [cls for cls in offered if is_dataclass(cls)]
    return sorted(made, key=lambda cls: (not issubclass(cls, sim.workload.synthesis.Synthesizer), cls.__name__))


def page() -> str:
    """The whole page."""
    formats = "\n".join(f"### {path.stem}\n\n{workload(path)}" for path in presets("workload"))
    varied = ", ".join(f"`{name}`" for name in (*GROUPS, *SCALARS))
    return f"""# Configuration

Every key that a run may be given, with what it is unless given. `python docs/configuration.py` makes this page from the
presets in `configs/` and the classes that they name; a test holds it against them. Results are in
[metrics.md](metrics.md), experiments in [experiments.md](experiments.md).

- A key is set on the command line as `key=value`, lists and mappings in quotes: `workload.days='[1,2]'`. A group is
  chosen by a preset's name, `platform=constant_start`, and its parameters are set under it, `platform.start_s=1.0`.
- Policies are chosen as a list, `policy='[fixed_1m,fixed_10m]'`, and their parameters lie under `policies`:
  `policies.fixed_10m.window_s=300`.
- `keepwarm run ... --cfg job` shows the configuration that comes out, and runs nothing.
- A *type* in a link is a class with parameters of its own: write a mapping with its name as `_target_`, e.g.
  `'platform.max_lifetime_s={{_target_: sim.core.distributions.Exponential, mean: 7200}}'`.
- The unit is what the name ends in: `_s` seconds, `_mb` MB, 1 GB being 1024 MB. `.inf` is infinity
  (on the command line `inf`), `null` nothing.

## The run

{groups()}
{run_keys()}
`vary` takes {varied}: a group by the names of presets, or parameters of it.

### Replications

{paragraphs(Replications)}

{parameters(Replications)}
### Hydra's own

{hydra_keys()}
Hydra has [more](https://hydra.cc/docs/configure_hydra/intro/); its launchers are in
[run on a cluster](how-to/run-on-a-cluster.md).

## Workloads

What each format is, and how it is read, is in [traces.md](traces.md). `seed` is the run's, unless another is given.

{formats}
### Transforms

Changes after reading, one after another: a list under `workload.transforms` ([workloads.md](workloads.md)).

{described(TRANSFORMS, 4)}
## Platforms

What the options do is in [platforms.md](platforms.md), where the numbers are from in [startup.md](startup.md).

{overview("platform")}
{described((Platform,))}
### Start models

The phases, in their order: {", ".join(f"`{name}`" for name in models.PHASES)}.

{described(START_MODELS, 4)}
### Parts of a phase

A plain number is so many seconds, and a distribution is drawn from. Columns to choose by:
{", ".join(f"`{name}`" for name in parts.CHOICES)}.

{described(PHASES, 4)}
## Policies

What each does, and where it comes from, is in [policies.md](policies.md).

{overview("policy")}
{described(policies())}
### The behaviour of Kubernetes' autoscaler

{described((Behavior, ScalingRules, ScalingPolicy), 4)}
## Prices

{overview("pricing")}
{described((PriceBook, ProviderPrice))}
## Engines

{overview("engine")}
## Executors

{overview("executor")}
{described((Local, Ray))}
## Recipes

Recipes of `keepwarm traces synthesize` ([workloads.md](workloads.md)).

{overview("synthesis")}
{described(synthesis())}
## Experiments

{overview("experiment")}
{described((MeasuredFlags, Model))}
## Other roots

### keepwarm curve

{root("curve")}
### keepwarm traces synthesize

{root("traces")}
## Distributions

Of times, unless said otherwise. Where a type is *distribution or number*, a number is always that.

{described(DISTRIBUTIONS)}
A recipe's [`Memory`](#memory) is one too.
"""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
