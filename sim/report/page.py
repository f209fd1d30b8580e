"""The page of a report: one HTML file with everything inside, that asks nothing of any network."""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final

import jinja2
import pandas as pd
from markupsafe import Markup

from sim.report import tables, wording
from sim.report.contrasts import contrasts, reference_of, sentence
from sim.report.grid import Grid
from sim.report.metrics import named, needs_future, printable
from sim.results.outcome import Outcome, VariantOutcome

PARTS: Final = files("sim.report") / "html"
AGAIN: Final = (
    "The same version, configuration and seed give the same files to the byte, but for manifest.json beside this page,"
    " which also holds the commit, when and where it ran."
)
MOST_SENTENCES: Final = 6
"""Policies whose differences are said in words at once; the others' are folded away."""


@dataclass(frozen=True)
class Picture:
    """A figure of the page.

    Attributes:
        name, title, caption, alt: see `sim.report.gallery.Drawn`.
        width, height: in CSS pixels, 96 an inch.
        kind: ``svg+xml`` or ``png``.
        content: the file.
    """

    name: str
    title: str
    caption: str
    alt: str
    width: int
    height: int
    kind: str
    content: bytes


@dataclass(frozen=True)
class Material:
    """What a variant's section shows besides its tables.

    Attributes:
        pictures: its figures.
        functions: a row a function, by `sim.report.gallery.function_differences`; None if there are not two policies.
        pair: the two policies of that table.
    """

    pictures: Sequence[Picture] = ()
    functions: pd.DataFrame | None = None
    pair: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Folded:
    """What a reader may open."""

    title: str
    lines: Sequence[str] = ()
    items: Sequence[str] = ()
    grids: Sequence[Grid] = ()


@dataclass(frozen=True)
class Part:
    """A heading and what is below it, in this order: paragraphs, a list, tables, what is folded away, figures."""

    anchor: str
    title: str
    lines: Sequence[str] = ()
    items: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    folded: Sequence[Folded] = ()
    pictures: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class Section:
    """One variant."""

    anchor: str
    label: str
    setting: Sequence[str]
    findings: Sequence[str]
    parts: Sequence[Part]


@dataclass(frozen=True)
class How:
    """How to do it again."""

    lines: Sequence[str] = ()
    commands: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = field(default=())
    config: str = ""


def page(outcome: Outcome, materials: Sequence[Material]) -> str:
    """The page, the same text for the same outcome and pictures.

    Args:
        outcome: of its manifest, only what is the same when the run is done again is shown; never a time or a host.
        materials: one a variant.
    """
    style, script = (PARTS.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    variants = outcome.variants
    about = printable(outcome.title)
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True, trim_blocks=False
    )
    return environment.from_string(PARTS.joinpath("page.html").read_text("utf-8")).render(
        policy=_security(style, script),
        style=Markup(style),
        script=Markup(script),
        title=f"{about}: policies compared" if about else "Serverless policies compared",
        background=wording.SUBJECT,
        subject=wording.subject(variants),
        failures=[printable(failure) for failure in outcome.failures],
        overviews=tables.overview_grids(variants) if len(variants) > 1 else [],
        sections=[
            _section(i, variant, material)
            for i, (variant, material) in enumerate(zip(variants, materials, strict=True), start=1)
        ],
        policies=tables.policies_grid(variants),
        how=_how(outcome),
    )


def _security(style: str, script: str) -> str:
    """A content security policy that lets in these two and pictures that are inside the page."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; img-src data:; style-src {hashed(style)}; script-src {hashed(script)};"
        " base-uri 'none'; form-action 'none'"
    )


def _section(number: int, variant: VariantOutcome, material: Material) -> Section:
    anchor = f"v{number}"
    parts = [_results(anchor, variant)] if len(variant.frame) else []
    if len(variant.frame) > 1:
        parts.append(_differences(anchor, variant))
    if material.pictures:
        pictures = [_picture(anchor, picture) for picture in material.pictures]
        parts.append(Part(f"{anchor}-figures", "Figures", pictures=pictures))
    if material.functions is not None and len(material.functions):
        parts.append(_functions(anchor, material.functions, material.pair))
    label = printable(variant.label)
    return Section(anchor, label, wording.setting(variant.notes), wording.findings(variant.frame), parts)


def _results(anchor: str, variant: VariantOutcome) -> Part:
    grid = tables.comparison_grid(variant.frame)
    lines = ["Lower is better in every column. Press the head of a column to sort by it."]
    if needs_future(variant.frame).any():
        lines.append("A policy with a ★ is told when calls will come. Nobody can run it: it shows what is possible.")
    meanings = [f"{head.text}: {head.title}." for head in grid.heads if head.title]
    return Part(
        f"{anchor}-table", "The comparison", lines, grids=[grid],
        folded=[
            Folded("What the columns mean", items=meanings),
            Folded("All metrics", ["Defined to the letter in docs/metrics.md of keepwarm."],
                   grids=[tables.all_metrics_grid(variant.frame)]),
        ],
    )  # fmt: skip


def _differences(anchor: str, variant: VariantOutcome) -> Part:
    reference = reference_of(variant.frame)
    found = contrasts(variant, reference)
    said = [line for line in (sentence(label, reference, each) for label, each in found.items()) if line]
    line = (
        f"Each policy minus {named(reference)}, on the same calls, with the 95 % interval of the difference where"
        " there is one. ≈ marks what the runs do not show to differ. All pairs of policies are in differences.csv,"
        " beside this page."
    )
    rest = [Folded("The other policies in words", items=said[MOST_SENTENCES:])] if len(said) > MOST_SENTENCES else []
    return Part(
        f"{anchor}-differences", f"Differences from {named(reference)}", [line], said[:MOST_SENTENCES],
        [tables.contrast_grid(found, reference)], rest,
    )  # fmt: skip


def _functions(anchor: str, table: pd.DataFrame, pair: tuple[str, str]) -> Part:
    one, other = map(named, pair)
    shown = min(len(table), tables.MOST_FUNCTIONS)
    line = (
        f"Of {len(table):,} called functions, the {shown} whose cold starts change most from {other} to {one};"
        " means over replications."
    )
    grid = tables.function_grid(table, *pair)
    return Part(f"{anchor}-functions", f"Where {one} and {other} differ most", [line], grids=[grid])


def _picture(anchor: str, picture: Picture) -> dict[str, Any]:
    source = f"data:image/{picture.kind};base64,{base64.b64encode(picture.content).decode()}"
    return {
        "anchor": f"{anchor}-{picture.name}",
        "title": picture.title,
        "caption": picture.caption,
        "alt": picture.alt,
        "width": picture.width,
        "height": picture.height,
        "source": source,
    }


def _how(outcome: Outcome) -> How:
    of_each = {run: manifest for run, manifest in (outcome.merged_from or {"": outcome.manifest}).items() if manifest}
    facts = [
        (printable(f"{run}: {name}" if run else name), printable(value))
        for run, manifest in of_each.items()
        for name, value in _facts(manifest)
    ]
    config = "\n".join(map(printable, outcome.config_yaml.splitlines()))
    return How([AGAIN], [printable(_command(manifest)) for manifest in of_each.values()], facts, config)


def _command(manifest: Mapping[str, Any]) -> str:
    """What was typed, but for where results go."""
    words = [word for word in map(str, manifest.get("overrides", [])) if not word.startswith("hydra.")]
    if words[:1] != ["tune"]:
        words = ["run", *map(str, manifest.get("options", [])), *words]
    return shlex.join(["keepwarm", *words])


def _facts(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    versions = manifest.get("versions") or {}
    if "keepwarm" in versions:
        yield "keepwarm", str(versions["keepwarm"])
    others = [f"{name} {value}" for name, value in versions.items() if name != "keepwarm" and value]
    if others:
        yield "with", ", ".join(others)
    for key in ("engine", "seed", "replications"):
        if key in manifest:
            value = manifest[key]
            yield key, json.dumps(value) if isinstance(value, dict | list) else str(value)
    traces = manifest.get("traces") or ({"": manifest["trace"]} if manifest.get("trace") else {})
    for label, facts in traces.items():
        yield f"trace {label}".strip(), _trace(facts)


def _trace(facts: Mapping[str, Any]) -> str:
    about = facts.get("about") or {}
    said = [f"hash {facts['hash']}"] if "hash" in facts else []
    said += [f"{name}: {about[key]}" for key, name in (("source", "source"), ("licence", "licence")) if about.get(key)]
    return "; ".join(said)
