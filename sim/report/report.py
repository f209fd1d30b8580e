"""The report of an outcome: a page for a browser, the table for a paper and a README, and the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sim.report.figures import save_figure
from sim.report.function_differences import compared_pair, function_differences
from sim.report.gallery import Drawn, gallery
from sim.report.latex import NEEDS, comparison_latex
from sim.report.metrics import printable
from sim.report.page import Material, Picture, page
from sim.report.table import comparison_markdown
from sim.results.outcome import Outcome, VariantOutcome
from sim.results.store import write_whole

LARGEST_SVG: Final = 300_000
"""Bytes of a drawing that a page holds as one; of a larger one it holds the picture in dots."""
PIXELS_PER_INCH: Final = 96


def write_report(
    outcome: Outcome, folder: str | Path, *, draw: Callable[[VariantOutcome], Iterator[Drawn]] = gallery
) -> list[Path]:
    """Write ``report.html``, ``table.tex``, ``table.md`` and, in ``figures/``, every figure as PNG and SVG.

    The figures of the k-th of several variants are in ``figures/v<k>/``. Each file is written whole or not at all, and
    the same outcome gives the same bytes.

    Args:
        outcome: what to report.
        folder: made if it is not there.
        draw: makes the figures of a variant.

    Returns:
        The files written.
    """
    folder = Path(folder)
    content: dict[str, bytes] = {}
    materials = []
    for number, variant in enumerate(outcome.variants, start=1):
        place = f"figures/v{number}" if len(outcome.variants) > 1 else "figures"
        pictures = []
        for drawn in draw(variant):
            png, svg = _files(drawn)
            content |= {f"{place}/{drawn.name}.png": png, f"{place}/{drawn.name}.svg": svg}
            pictures.append(_picture(drawn, png, svg))
        materials.append(_material(variant, pictures))
    content["table.tex"] = latex(outcome).encode()
    content["table.md"] = markdown(outcome).encode()
    content["report.html"] = page(outcome, materials).encode()  # last: whoever sees it finds the others
    for name, each in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_whole(folder / name, each)
    return [folder / name for name in content]


def latex(outcome: Outcome) -> str:
    """The tables of all variants, a float each, ``tab:comparison`` or ``tab:comparison-<k>``."""
    several = len(outcome.variants) > 1
    floats = [
        comparison_latex(
            variant.frame,
            {"variant": variant.label, **variant.notes} if several else variant.notes,
            label=f"tab:comparison-{k}" if several else "tab:comparison",
        )
        for k, variant in enumerate(outcome.variants, start=1)
    ]
    return NEEDS + "\n".join(floats)


def markdown(outcome: Outcome) -> str:
    """The tables of all variants in GitHub's Markdown, with their labels and, below each, what must be known of it."""
    parts = []
    for variant in outcome.variants:
        if variant.label:
            parts.append(f"## {_plain(variant.label)}\n")
        parts.append(comparison_markdown(variant.frame))
        parts += [f"{_plain(note[:1].upper() + note[1:].rstrip('.'))}.\n" for note in variant.notes.values() if note]
    return "\n".join(parts)


def _plain(text: str) -> str:
    """Text that Markdown does not take for anything else."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+!|&~$" else letter for letter in printable(text))


def _files(drawn: Drawn) -> tuple[bytes, bytes]:
    with TemporaryDirectory() as folder:
        png, svg = save_figure(drawn.figure, Path(folder) / "figure")
        return png.read_bytes(), svg.read_bytes()


def _picture(drawn: Drawn, png: bytes, svg: bytes) -> Picture:
    width, height = (round(inches * PIXELS_PER_INCH) for inches in drawn.figure.get_size_inches())
    kind, content = ("svg+xml", svg) if len(svg) <= LARGEST_SVG else ("png", png)
    return Picture(drawn.name, drawn.title, drawn.caption, drawn.alt, width, height, kind, content)


def _material(variant: VariantOutcome, pictures: list[Picture]) -> Material:
    pair = compared_pair(variant)
    if pair is None:
        return Material(pictures)
    table = function_differences(variant, *pair)
    return Material(pictures, table[table["calls"] > 0], pair)
