"""Objects from plain configuration: a mapping with `_target_` becomes an instance of that class, nested ones too.

Configurations come from anywhere, so a target is only looked up below packages that are trusted, must be a class, and
must have been defined there: being importable from a trusted module is not enough.
"""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sim.core.errors import ConfigError, KeepwarmError

T = TypeVar("T")
TARGET: typing.Final = "_target_"
LONGEST: typing.Final = 80
"""Characters of a value that an error message shows."""


@dataclass(frozen=True)
class Trust:
    """Which packages a configuration may name classes of: `sim`, and those the user adds."""

    packages: tuple[str, ...] = ()

    def covers(self, module: str) -> bool:
        """Whether `module` is a trusted package or lies inside one."""
        return any(module == name or module.startswith(f"{name}.") for name in ("sim", *self.packages))


def build(node: Any, where: str, expected: type[T], trust: Trust) -> T:
    """The object that a plain node (mappings, lists, scalars) describes.

    Args:
        node: the configuration, interpolations resolved.
        where: its dotted path, for messages.
        expected: the class it must turn out to be.
        trust: which packages classes may come from.

    Raises:
        ConfigError: an untrusted or impossible target; unknown, missing or wrongly typed parameters.
    """
    if not isinstance(node, Mapping) or TARGET not in node:
        raise ConfigError(f"{where}: expected a mapping with {TARGET}, got {_shown(node)}")
    built = _value(node, where, trust)
    if not isinstance(built, expected):
        raise ConfigError(f"{where}: {node[TARGET]} is not a {expected.__name__}")
    return built


def _value(node: Any, where: str, trust: Trust) -> Any:
    if isinstance(node, Mapping):
        values = {key: _value(item, f"{where}.{key}", trust) for key, item in node.items() if key != TARGET}
        return _instance(node[TARGET], values, where, trust) if TARGET in node else values
    if isinstance(node, list | tuple):
        return tuple(_value(item, f"{where}[{i}]", trust) for i, item in enumerate(node))
    return node


def _instance(target: Any, values: dict[str, Any], where: str, trust: Trust) -> Any:
    cls = resolve(target, where, trust)
    check_arguments(cls, values, where)
    try:
        return cls(**values)
    except KeepwarmError as error:
        raise ConfigError(f"{where}: {error}") from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {target} refuses these parameters: {error}") from error


def resolve(target: Any, where: str, trust: Trust) -> type:
    """The class that a dotted name stands for, if it is trusted; nothing untrusted is imported to find out."""
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
        raise ConfigError(f"{where}: {TARGET} must be the dotted name of a class, not {target!r}")
    if not trust.covers(target):
        raise _untrusted(target, where, target)
    found = _look_up(target, where, trust)
    if not isinstance(found, type):
        raise ConfigError(f"{where}: {target} is not a class")
    if not trust.covers(found.__module__):
        raise _untrusted(target, where, f"{found.__module__}.{found.__qualname__}")
    return found


def _untrusted(target: str, where: str, name: str) -> ConfigError:
    package = name.split(".", maxsplit=1)[0]
    means = target if name == target else f"{target} is {name}, which"
    return ConfigError(
        f"{where}: {means} is not trusted: if it is yours, say so with --trust {package} or KEEPWARM_TRUST={package}"
    )


def _look_up(target: str, where: str, trust: Trust) -> Any:
    parts = target.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:length])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
                continue  # a class of a shorter module, perhaps
            raise ConfigError(f"{where}: importing {module_name} fails: {error}") from error
        except Exception as error:  # whatever a user's module raises
            raise ConfigError(f"{where}: importing {module_name} fails: {error}") from error
        for part in parts[length:]:
            if isinstance(found, types.ModuleType) and not trust.covers(found.__name__):
                raise _untrusted(target, where, found.__name__)  # asking it for a part may import that
            if not hasattr(found, part):
                raise ConfigError(f"{where}: there is no {target}: {module_name} has no {part}")
            found = getattr(found, part)
        return found
    raise ConfigError(f"{where}: there is no {target}: no module {parts[0]} is installed")


def check_arguments(function: Any, values: Mapping[str, Any], where: str, *, skip: int = 0) -> None:
    """Refuse arguments that `function` (a class, or a function after its first `skip` parameters) does not take."""
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except ValueError:  # classes derived from some that are written in C
        raise ConfigError(f"{where}: {function.__qualname__} does not say which parameters it takes") from None
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters)
    known = {p.name: p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    for key in values:
        if key not in known and not open_ended:
            raise ConfigError(f"{where}.{key}: there is no such parameter; there is {', '.join(known) or 'none'}")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in values]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} must be given")
    hints = _hints(function)
    for key, value in values.items():
        check_type(value, hints.get(key, Any), f"{where}.{key}")


def _hints(function: Any) -> dict[str, Any]:
    source = inspect.getattr_static(function, "__init__") if isinstance(function, type) else function
    try:
        return typing.get_type_hints(source)
    except (NameError, TypeError):
        return {}  # hints that only a type checker can read: the class checks for itself


def check_type(value: Any, hint: Any, where: str) -> None:
    """Refuse a value that does not fit its annotation, in words that a person can act on."""
    if _fits(value, hint):
        return
    for place, item, item_hint in _items(value, hint, where):
        check_type(item, item_hint, place)  # the innermost that does not fit
    raise ConfigError(f"{where}: expected {_in_words(hint)}, got {_shown(value)}")


def _items(value: Any, hint: Any, where: str) -> list[tuple[str, Any, Any]]:
    """The items of a container that is of the right kind: where each is, and what it ought to be."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return next(filter(None, (_items(value, a, where) for a in arguments)), [])
    if not isinstance(origin, type):
        return []
    if issubclass(origin, Mapping):
        items = value.items() if isinstance(value, Mapping) else ()
        return [(f"{where}.{key}", item, arguments[1]) for key, item in items]
    if not isinstance(value, list | tuple) or (origin is tuple and Ellipsis not in arguments):
        return []
    return [(f"{where}[{i}]", item, arguments[0]) for i, item in enumerate(value)]


def _shown(value: Any) -> str:
    if value in ("", None):
        return "nothing"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


_WORDS: typing.Final = types.MappingProxyType(
    {
        float: "a number",
        int: "a whole number",
        bool: "true or false",
        str: "text",
        type(None): "null",
        list: "a list",
        Mapping: "a mapping",
    }
)


def _in_words(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_in_words(a) for a in arguments)
    if origin is typing.Literal:
        return " or ".join(repr(a) for a in arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a mapping"
    if origin is not None:
        return "a list"
    return _WORDS.get(hint) or str(getattr(hint, "__name__", hint))


def _fits(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, a) for a in arguments)
    if origin is typing.Literal:
        return any(type(value) is type(a) and value == a for a in arguments)
    if isinstance(origin, type):
        return _container_fits(value, origin, arguments)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint is list:
        return isinstance(value, list | tuple)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _container_fits(value: Any, origin: type, arguments: tuple[Any, ...]) -> bool:
    if issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(k, arguments[0]) and _fits(v, arguments[1]) for k, v in value.items()
        )
    if not isinstance(value, list | tuple):
        return False
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    return all(_fits(item, arguments[0]) for item in value)
