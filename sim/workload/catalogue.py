"""The public traces: what each is, where its publishers keep it, and what its files are.

Links are those that the publishers' own pages name (Azure/AzurePublicDataset, sir-lab/data-release and
ubc-cirrus-lab/ibm-cloud-code-engine-traces, read in 2026). **No publisher publishes a checksum or a size.** Those that
are here are what several third parties say they have downloaded; nothing here was checked by a download of our own.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final

from sim.core.errors import ConfigError
from sim.workload.readers import azure2019, azure2021, huawei2023, huawei2025, ibm2026

THIRD_PARTY: Final = "a third party's, not the publishers'"
"""Whose the checksums and sizes are: those of the Azure traces, as several independent projects record them."""


@dataclass(frozen=True)
class File:
    """One file to download.

    Attributes:
        name: unique in its trace, perhaps with slashes, and with the suffix that says what it is.
        urls: where it is, the first choice first.
        into: the folder, below the trace's, that an archive is unpacked into, or that any other file is put into.
        size: bytes; None where nobody says.
        sha256: of the file; None where nobody says.
        unpacked_size: bytes of what is inside, about; None where nobody says.
    """

    name: str
    urls: tuple[str, ...]
    into: str = ""
    size: int | None = None
    sha256: str | None = None
    unpacked_size: int | None = None

    @property
    def stored(self) -> str:
        """What it is called in the trace's folder while, or where, it is not unpacked."""
        return self.name.replace("/", "-")


@dataclass(frozen=True)
class Entry:
    """One public trace, or the embedded one.

    Attributes:
        name: what the command line calls it.
        what: in a few words.
        span: of the calls.
        calls: how many; a tilde where it is a third party's figure.
        functions: how many.
        licence: in short.
        notice: licence and work to cite.
        page: the publishers' description.
        format: of `sim.workload.load.READERS`.
        files: what can be downloaded; nothing where it has to be done by hand.
        usual: patterns of the files that are downloaded when none are chosen.
        reads: folder of the calls below the trace's, to be given to the reader; its first choice, if there are several.
        advice: what there is to know before a download, or how to do it by hand.
        size: of the download, where it has no files here.
    """

    name: str
    what: str
    span: str
    calls: str
    functions: str
    licence: str
    notice: str
    page: str
    format: str
    files: tuple[File, ...] = ()
    usual: tuple[str, ...] = ("*",)
    reads: tuple[str, ...] = ("",)
    advice: str = ""
    size: str = ""

    def choose(self, patterns: tuple[str, ...] = ()) -> list[File]:
        """The files whose names match any of some patterns, in the catalogue's order; the usual ones without any.

        Raises:
            ConfigError: a pattern matches none.
        """
        wanted = patterns or self.usual
        for pattern in wanted:
            if not any(fnmatchcase(file.name, pattern) for file in self.files):
                hint = f"they are shown by: keepwarm traces list {self.name}"
                raise ConfigError(f"{self.name} has no file {pattern!r}; {hint}")
        return [file for file in self.files if any(fnmatchcase(file.name, pattern) for pattern in wanted)]


_AZURE: Final = "https://github.com/Azure/AzurePublicDataset"
_HUAWEI: Final = "https://github.com/sir-lab/data-release/blob/main"
_OBS: Final = "https://sir-dataset.obs.cn-east-3.myhuaweicloud.com/datasets"
_DRIVE: Final = "https://drive.usercontent.google.com/download?id={}&export=download&confirm=t"
_AZURE_BLOBS: Final = "https://azurepublicdatasettraces.blob.core.windows.net"
_AZURE_2019: Final = "azurefunctions-dataset2019.tar.xz"
_AZURE_2021: Final = "AzureFunctionsInvocationTraceForTwoWeeksJan2021"


def _private(metric: str, drive: str) -> File:
    """A table of Huawei's private cloud: at first in their object store, by their newer page in Google Drive."""
    return File(f"{metric}.zip", (f"{_OBS}/private_dataset/{metric}.zip", _DRIVE.format(drive)), metric)


def _requests(region: int, step: int) -> tuple[File, ...]:
    """A region's requests of day 30, in archives of so many of the 200 parts."""
    names = [f"per_request/R{region}/R{region}_{i:05}_{i + step - 1:05}.zip" for i in range(0, 200, step)]
    return tuple(_of_2025(name, f"per_request/R{region}") for name in names)


def _of_2025(name: str, into: str) -> File:
    return File(name, (f"{_OBS}/cold_start_dataset/{name}",), into)


_ENTRIES: Final = (
    Entry(
        name="default",
        what="synthetic, by the published marginals of Azure 2019",
        span="1 day",
        calls="450,000",
        functions="400",
        licence="Apache-2.0",
        notice="Apache-2.0, as keepwarm is",
        page="traces/README.md",
        format="canonical",
        advice="it is part of keepwarm: workload=default, or sim.load_trace('default')",
        size="embedded",
    ),
    Entry(
        name="azure2019",
        what="Azure Functions: calls a minute, July 2019",
        span="14 days",
        calls="~12.5 billion",
        functions="~70,000",
        licence="CC-BY 4.0",
        notice=azure2019.LICENCE,
        page=f"{_AZURE}/blob/master/AzureFunctionsDataset2019.md",
        format="azure2019",
        files=(
            File(
                _AZURE_2019,
                (
                    f"{_AZURE}/releases/download/dataset-functions-2019/azurefunctions_dataset2019_{_AZURE_2019}",
                    f"{_AZURE_BLOBS}/azurepublicdatasetv2/azurefunctions_dataset2019/{_AZURE_2019}",
                ),
                "azurefunctions-dataset2019",
                size=142_968_140,
                sha256="aff8b3ca7240a41a109e4ee598e0a96e45fcb92e7b8395ac19cb3748cd260d89",
                unpacked_size=2_400_000_000,  # ours: some 650,000 rows, mostly of 1,440 counts of one digit
            ),
        ),
        reads=("azurefunctions-dataset2019",),
        advice="unpacked it takes some 2.4 GB (our estimate); with days= and share= a part of it is read",
    ),
    Entry(
        name="azure2021",
        what="Azure Functions: calls of some apps, January 2021",
        span="14 days",
        calls="~1,980,951",
        functions="~424",
        licence="CC-BY 4.0",
        notice=azure2021.LICENCE,
        page=f"{_AZURE}/blob/master/AzureFunctionsInvocationTrace2021.md",
        format="azure2021",
        files=(
            File(
                f"{_AZURE_2021}.rar",
                (
                    f"{_AZURE}/raw/master/data/{_AZURE_2021}.rar",
                    f"https://raw.githubusercontent.com/Azure/AzurePublicDataset/master/data/{_AZURE_2021}.rar",
                ),
                size=18_444_269,
                sha256="8bb5d1c82e89e467062b6582996232df24edfebadbaf3287a8c985ca178ba92d",
                unpacked_size=305_388_316,
            ),
        ),
        advice=(
            "it is a RAR archive, which keepwarm does not unpack; RARLAB's unrar does, unar and p7zip 16.02 are known"
            f" to fail (third party). Inside is {_AZURE_2021}.txt, 305,388,316 bytes (third party)"
        ),
    ),
    Entry(
        name="huawei2023",
        what="Huawei, private: requests and their times, a minute",
        span="141 days",
        calls="not said",
        functions="200",
        licence="CC-BY 4.0",
        notice=huawei2023.LICENCE,
        page=f"{_HUAWEI}/README_data_release_2023.md",
        format="huawei2023",
        files=(
            _private("requests_minute", "1W9dQvqRGylfUeHJcYqWwJrpYHIsYCVq_"),
            _private("function_delay_minute", "1Ooentp5nUeC2qKig8QSvJAaRgk3Kix_v"),
            _private("memory_limit_minute", "1COvoR8VwQnwxstOHuJj_YjlSaMv_jDLT"),
            _private("instances_minute", "15_YwzY7lcUnfytof9D6mY7TAJAdhOfDH"),
        ),
        advice="four of the eleven tables: those that keepwarm reads. The 141 days are of 235; the others are missing",
    ),
    Entry(
        name="huawei2023_public",
        what="Huawei, public: requests a minute",
        span="26 days",
        calls="not said",
        functions="5,093",
        licence="CC-BY 4.0",
        notice=huawei2023.LICENCE,
        page=f"{_HUAWEI}/README_data_release_2023.md",
        format="huawei2023",
        files=(
            File(
                "public_dataset.zip",
                (f"{_OBS}/public_dataset/public_dataset.zip", _DRIVE.format("1RfkSxt9TddpOHiybEJFwUXfWqpsJyqSK")),
                "requests_minute",
            ),
        ),
    ),
    Entry(
        name="huawei2025",
        what="Huawei, public: requests of a day, cold starts of 31",
        span="1 day",
        calls="not said",
        functions="not said",
        licence="CC-BY 4.0",
        notice=huawei2025.LICENCE,
        page=f"{_HUAWEI}/README_data_release_2025.md",
        format="huawei2025",
        files=(
            *_requests(1, 10),
            *_requests(2, 20),
            *_requests(3, 40),
            *_requests(4, 100),
            _of_2025("per_request/R5/R5.zip", "per_request/R5"),
            *(_of_2025(f"cold_start/R{region}.zip", f"cold_start/R{region}") for region in range(1, 6)),
            _of_2025("runtime_triggerType/df_funcID_runtime_triggerType.csv", "runtime_triggerType"),
        ),
        usual=("per_request/R5/*", "cold_start/R5.zip"),
        reads=tuple(f"per_request/R{region}" for region in (5, 2, 4, 1, 3)),
        advice=(
            "region 5 unless --files names others: its requests are one archive. Region 1's are of the busiest pods"
            " only, region 3's are a sample"
        ),
    ),
    Entry(
        name="ibm2026",
        what="IBM Cloud Code Engine: every request",
        span="62 days",
        calls="> 1.9 billion",
        functions="1,780",
        licence="MIT",
        notice=ibm2026.LICENCE,
        page="https://github.com/ubc-cirrus-lab/ibm-cloud-code-engine-traces",
        format="ibm2026",
        advice=(
            "it is a git repository of 7z archives and no file to download: clone it (6 GB), run its decompress.sh"
            " (52 GB), and give its folder data"
        ),
        size="6 GB",
    ),
)

CATALOGUE: Final = MappingProxyType({entry.name: entry for entry in _ENTRIES})
"""By name."""


def find_entry(name: str) -> Entry:
    """The trace of a name.

    Raises:
        ConfigError: there is none.
    """
    if name not in CATALOGUE:
        raise ConfigError(f"there is no trace called {name!r}; there is {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
