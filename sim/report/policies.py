"""The list of policies: what each is, where it comes from, and what can be set."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from sim.policies.keepalive.role import KeepAlive
from sim.policies.scaling.role import Scaling
from sim.report.metrics import printable

UNITS: Final = (("seconds", "s"), ("per cent", "%"))
"""First words of a parameter's description, and the unit they stand for."""
AUTHORS: Final = re.compile(r"[A-Z]\w+(?:, [A-Z]\w+)*(?: and [A-Z]\w+| et al\.),? \(?")
ENTRY: Final = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a policy.

    Attributes:
        name: as a keyword, and in a configuration.
        value: of the policy shown, as text; of a class its default, or empty where it has none.
        unit: ``s``, ``%`` or empty.
        about: its description.
    """

    name: str
    value: str
    unit: str
    about: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value or '?'}{' ' * bool(self.unit)}{self.unit}"


def policy_table(policies: Mapping[str, KeepAlive | type[KeepAlive]]) -> Table:
    """A row a policy: its name, class and role, parameters and source.

    Args:
        policies: by the name of the preset, or whatever they go by; an instance is shown with its parameters, a class
            with its defaults.
    """
    longest = {
        "preset": max(map(len, policies), default=0),
        "class and role": max((len(_class(policy).__name__) for policy in policies.values()), default=0),
    }  # names are not broken, however narrow the terminal
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in ("preset", "class and role", "parameters", "source"):
        table.add_column(head, overflow="fold", min_width=longest.get(head))
    for name, policy in policies.items():
        cls = _class(policy)
        parameters = "\n".join(str(parameter) for parameter in policy_parameters(policy))
        cells = (name, f"{cls.__name__}\n{role(cls)}", parameters or "–", citation(cls) or "–")
        table.add_row(*(Text("\n".join(map(printable, cell.split("\n")))) for cell in cells))
    return table


def policy_details(name: str, policy: KeepAlive | type[KeepAlive]) -> str:
    """Everything that is said of one policy, as plain text: what it does, then each parameter."""
    cls = _class(policy)
    about, _, _ = (inspect.getdoc(cls) or "").partition("\nAttributes:")
    lines = [f"{name}: {cls.__module__}.{cls.__qualname__} ({role(cls)})", "", about.strip()]
    for parameter in policy_parameters(policy):
        lines += ["", str(parameter), f"    {parameter.about}"]
    return "\n".join(lines) + "\n"


def policy_parameters(policy: KeepAlive | type[KeepAlive]) -> list[Parameter]:
    """The parameters of a policy that is a dataclass, in order."""
    about = attributes(_class(policy))
    shown: Any = policy
    made: list[Parameter] = []
    for field in fields(shown) if is_dataclass(shown) else ():
        value = field.default if isinstance(policy, type) else getattr(policy, field.name)
        text = about.get(field.name, "")
        unit = next((unit for word, unit in UNITS if text.startswith(word)), "s" if field.name.endswith("_s") else "")
        made.append(Parameter(field.name, "" if value is MISSING else _shown(value), unit, text))
    return made


def attributes(cls: type) -> dict[str, str]:
    """The descriptions below "Attributes" in a class's docstring, each in one line."""
    _, _, section = (inspect.getdoc(cls) or "").partition("\nAttributes:\n")
    return {found[1]: " ".join(found[2].split()) for found in ENTRY.finditer(section)}


def citation(cls: type) -> str:
    """The first work that a class's docstring cites: authors, place and year, without the title."""
    text = " ".join((inspect.getdoc(cls) or "").split())
    for found in AUTHORS.finditer(text):
        place = re.match(r'(?:"[^"]*",? )?[^"().;:]*\b(?:19|20)\d\d\b', text[found.end() :])
        if place:
            where = re.sub(r'"[^"]*",? ', "", place[0])
            return f"{found[0].rstrip(' (,')}, {where}"
    return ""


def role(cls: type[KeepAlive]) -> str:
    """What a policy decides: how many instances there are; or how long they stay, and perhaps more."""
    if issubclass(cls, Scaling):
        return "scaling"
    named = ["keep-alive"]
    if cls.floor is not KeepAlive.floor:
        named.append("provisioned instances")
    if cls.generic_pools is not KeepAlive.generic_pools:
        named.append("generic pools")
    if cls.calls is not KeepAlive.calls:
        named.append("pings")
    return " + ".join(named)


def _class(policy: KeepAlive | type[KeepAlive]) -> type[KeepAlive]:
    return policy if isinstance(policy, type) else type(policy)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
