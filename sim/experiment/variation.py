"""Variations: a configuration once for every combination of some values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import product
from typing import Any, Final

from sim.core.errors import ConfigError

GROUPS: Final = ("workload", "platform", "pricing", "provider")
"""What may be varied: these, as a whole by the names of presets, or their parameters; and the scalars below."""
SCALARS: Final = ("seed", "warm_up_s", "horizon_s")
MOST: Final = 10_000
"""Variants: more are a slip of the keyboard."""


def variations(
    config: Mapping[str, Any], vary: Mapping[str, Any], preset: Callable[[str, str], Mapping[str, Any]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configurations that `vary` makes of one, the last key varied fastest.

    Args:
        config: plain values.
        vary: by dotted key a list of values, or the same nested.
        preset: reads a preset, given group and name.

    Yields:
        A label that says what is varied, and a configuration of its own.

    Raises:
        ConfigError: a key that there is not or that may not be varied, values that are no list, or none.
    """
    axes = dict(_axes(vary)) if vary else {}
    size = 1
    for key, values in axes.items():
        _check(key, values)
        size *= len(values)
    if size > MOST:
        raise ConfigError(f"vary: {size:,} variants are too many; the most is {MOST:,}")
    for chosen in product(*axes.values()):
        varied, values = deepcopy(dict(config)), dict(zip(axes, chosen, strict=True))
        for key in sorted(axes, key=lambda key: key not in GROUPS):  # presets before what is changed in them
            _put(varied, key, preset(key, values[key]) if key in GROUPS else values[key])
        follows = varied["workload"].get("seed") == config["seed"] if "workload.seed" not in axes else False
        if "seed" in axes and follows:  # as our presets say: seed: ${seed}
            varied["workload"]["seed"] = values["seed"]
        yield ", ".join(f"{key}={value}" for key, value in zip(axes, chosen, strict=True)), varied


def _axes(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(node, Mapping):
        yield place, node
        return
    for key, item in node.items():
        yield from _axes(item, f"{place}.{key}" if place else str(key))


def _check(key: str, values: Any) -> None:
    if key not in SCALARS and key.split(".", maxsplit=1)[0] not in GROUPS:
        raise ConfigError(
            f"vary.{key}: may not be varied; there is {', '.join((*GROUPS, *SCALARS))}, and the first's parameters"
        )
    if not isinstance(values, Sequence) or isinstance(values, str) or not values:
        raise ConfigError(f"vary.{key}: expected a list of values, got {values!r}")
    if any(values.count(value) > 1 for value in values):
        raise ConfigError(f"vary.{key}: a value is named twice")
    if key in GROUPS and not all(isinstance(value, str) for value in values):
        raise ConfigError(f"vary.{key}: expected names of presets, got {values!r}; its parameters are {key}.<name>")


def _put(config: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    node: Any = config
    for depth, part in enumerate(path):
        node = _child(node, part, ".".join(path[:depth]))
    _child(node, last, ".".join(path))
    node[int(last) if isinstance(node, list) else last] = value


def _child(node: Any, part: str, place: str) -> Any:
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    if isinstance(node, Mapping) and part in node:
        return node[part]
    there = f"; there is {', '.join(map(str, node))}" if isinstance(node, Mapping) else ""
    raise ConfigError(
        f"vary.{place}.{part}: there is no such key{there}" if place else f"vary.{part}: there is no such key"
    )
