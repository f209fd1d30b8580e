"""The catalogue: every entry can be ordered, its format is one that is read, and its places are below its folder."""

from pathlib import Path, PurePosixPath

import pytest
import yaml

from sim.config import config_dir
from sim.core.errors import ConfigError
from sim.workload.archives import is_archive
from sim.workload.catalogue import CATALOGUE, Entry, File, find_entry
from sim.workload.load import READERS
from sim.workload.web import check_url

FILES = [(entry, file) for entry in CATALOGUE.values() for file in entry.files]
ROOT = Path(__file__).resolve().parents[2]


def test_the_names() -> None:
    assert list(CATALOGUE) == [
        "default", "azure2019", "azure2021", "huawei2023", "huawei2023_public", "huawei2025", "ibm2026",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="there is no trace called 'azure'; there is default, azure2019"):
        find_entry("azure")


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_is_said_of_one_holds(name: str) -> None:
    entry = CATALOGUE[name]
    assert entry.format in READERS
    assert entry.notice.startswith(entry.licence)
    presets = {path.stem for path in (config_dir() / "workload").glob("*.yaml")}
    assert (entry.format if name != "default" else name) in presets
    assert bool(entry.files) != bool(entry.size)
    assert len({file.name for file in entry.files}) == len({file.stored for file in entry.files}) == len(entry.files)
    assert entry.files == () or entry.choose()


@pytest.mark.parametrize(("entry", "file"), FILES, ids=[f"{entry.name} {file.name}" for entry, file in FILES])
def test_a_file_has_addresses_and_a_place(entry: Entry, file: File) -> None:
    for url in file.urls:
        check_url(url)
        assert url.startswith("https://")
    place = PurePosixPath(file.into)
    assert not place.is_absolute()
    assert ".." not in place.parts
    assert file.into or not is_archive(file.name)  # so that it can appear at once
    assert file.stored not in place.parts


def test_files_are_chosen_by_patterns() -> None:
    entry = find_entry("huawei2025")
    assert [file.name for file in entry.choose()] == ["per_request/R5/R5.zip", "cold_start/R5.zip"]
    assert len(entry.choose(("per_request/R1/*",))) == 20
    assert len(entry.choose(("per_request/*",))) == 20 + 10 + 5 + 2 + 1
    assert [file.name for file in entry.choose(("cold_start/R2.zip", "cold_start/R1.zip"))] == [
        "cold_start/R1.zip", "cold_start/R2.zip",
    ]  # fmt: skip
    with pytest.raises(
        ConfigError, match="huawei2025 has no file 'R9'; they are shown by: keepwarm traces list huawei20"
    ):
        entry.choose(("cold_start/*", "R9"))


def test_every_trace_is_in_the_readme() -> None:
    page = (ROOT / "traces" / "README.md").read_text("utf-8")
    assert [name for name in CATALOGUE if f"`{name}`" not in page] == []
    assert [entry.page for entry in CATALOGUE.values() if entry.files and entry.page not in page] == []


def test_a_region_of_huawei_reads_where_its_archives_go() -> None:
    entry = find_entry("huawei2025")
    assert {file.into for file in entry.files if file.name.startswith("per_request")} == set(entry.reads)


def test_presets_are_yaml_of_the_format() -> None:
    for entry in CATALOGUE.values():
        if entry.name != "default":
            preset = yaml.safe_load((config_dir() / "workload" / f"{entry.format}.yaml").read_text("utf-8"))
            assert preset["format"] == entry.format
