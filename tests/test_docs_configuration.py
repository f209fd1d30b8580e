"""docs/configuration.md is made from the presets and classes there are, and leaves none of them out."""

import re
import runpy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from sim.core.build import TARGET, Trust, resolve

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "configuration.md").read_text("utf-8")
PRESETS = sorted((ROOT / "configs").glob("*/*.yaml"))
SCRIPT = runpy.run_path(str(ROOT / "docs" / "configuration.py"))


def section(heading: str) -> str:
    """What stands below a heading, up to the next of its own level or above."""
    found = re.search(rf"^(#+) {re.escape(heading)}$(.*?)(?=^#{{2,}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found is not None, f"the page has no section {heading}"
    return found[2]


def keys(heading: str) -> set[str]:
    return set(re.findall(r"^\| `(\w+)` \|", section(heading), re.MULTILINE))


def nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every mapping that is to become an object."""
    if isinstance(value, Mapping):
        if TARGET in value:
            yield value
        for item in value.values():
            yield from nodes(item)
    elif isinstance(value, list):
        for item in value:
            yield from nodes(item)


def written(preset: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(preset), resolve=False)


def test_the_page_is_what_the_script_makes() -> None:
    assert SCRIPT["page"]() == TEXT, "run: python docs/configuration.py"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_preset_and_every_key_that_it_gives_an_object_is_there(preset: Path) -> None:
    if preset.parent.name == "workload":
        assert keys(preset.stem) == set(written(preset))
    else:
        assert re.search(rf"^\| `{preset.stem}` \|", TEXT, re.MULTILINE)
    for node in nodes(written(preset)):
        cls = resolve(node[TARGET], "docs", Trust())
        given = {key for key in node if key not in (TARGET, "<<")}
        assert given <= (keys(cls.__name__) if given else given)
        assert f"`{node[TARGET]}`" in section(cls.__name__)


def test_every_key_of_a_run_has_a_meaning() -> None:
    root = written(ROOT / "configs" / "config.yaml")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*?) \|$", section("The run"), re.MULTILINE)
    assert {key for key, meaning in rows if len(meaning) > 10} >= set(root) - {"defaults", "hydra"}


def test_links_within_the_page_lead_to_one_heading_each() -> None:
    headings = re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)
    anchors = [re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings]
    assert {anchor for anchor in anchors if anchors.count(anchor) > 1} == set()
    assert set(re.findall(r"\]\(#([^)]*)\)", TEXT)) <= set(anchors)


# How the script reads


def test_comments_belong_to_the_keys_before_them(tmp_path: Path) -> None:
    preset = tmp_path / "a.yaml"
    preset.write_text(
        "# head | one\nx: 1  # first\n      # goes on\ny: [1, 2]\n# of nothing\nz_s: 2   # last\n  a: 1\n"
    )
    assert SCRIPT["comments"](preset) == {"x": "first goes on", "z_s": "last"}
    assert SCRIPT["head"](preset) == r"head \| one"


@pytest.mark.parametrize(
    ("name", "unit"),
    [("window_s", "s"), ("calls_per_s", "1/s"), ("s_per_mb", "s/MB"), ("memory_mb", "MB"), ("hours", "h"),
     ("head_percentile", "%"), ("usd_per_gb_s", "USD/GB-s"), ("functions", "")],
)  # fmt: skip
def test_units_are_those_of_names(name: str, unit: str) -> None:
    assert SCRIPT["unit"](name) == unit


def test_types_and_values_are_as_a_configuration_has_them() -> None:
    kind, shown = SCRIPT["kind"], SCRIPT["shown"]
    assert kind(int | None) == "whole number or null"
    assert kind(tuple[float, ...]) == "list of numbers"
    assert kind(tuple[tuple[float, int], ...]) == "list of list of number, whole number"
    assert [shown(v) for v in (None, True, float("inf"), (1, "a"))] == ["null", "true", ".inf", "[1, a]"]
