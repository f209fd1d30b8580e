"""Every example of README.md and docs/ works as it is printed.

Blocks fenced as ``python`` are run in a copy of the project; those of one page share their names, as in one script.
Blocks fenced as ``bash``, ``sh`` or ``console`` are run by bash; where lines of a console block begin with ``$``, only
these are commands; their `keepwarm` is forked from a process that has imported it. Lines that install or make
the project are left out, runs draw no page unless the block looks at it, and the copy has less to do: a part of the
default trace, fewer replications and made-up calls of the study. A block that cannot be run has, on the line above it,
a comment that says why: ``<!-- not run: reason -->``.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from forked import forked_keepwarm

from sim import load_trace

ROOT = Path(__file__).resolve().parents[1]
PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))) if page.is_file()]
SHELL = ("bash", "sh", "console", "shell")
TIMEOUT_S = 300
EVERY = 20
"""Of so many calls of the default trace one is there."""
MOST_NOT_RUN = 5

FENCE = re.compile(r"^(?P<fence>`{3,}|~{3,}) *(?P<language>\w*)")
NOT_RUN = re.compile(r"^<!-- not run: (?P<reason>.+) -->$")
RUN = re.compile(r"(?<=keepwarm run)(?= (?!-))")
LEFT_OUT = re.compile(r"(make|git clone|pip|python -m pip|cd keepwarm)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, what it is, and why it is not run, if it is not."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def commands(self) -> str:
        """The lines of a block for the shell that are to be run."""
        lines = self.text.splitlines()
        if self.language == "console" and any(line.startswith("$ ") for line in lines):
            lines = [line.removeprefix("$ ") for line in lines if line.startswith(("$ ", "> "))]
        commands = "\n".join("" if LEFT_OUT.match(line) else line for line in lines)
        return commands if "report.html" in commands else re.sub(RUN, r"\g<0> report=false", commands)

    @property
    def needs_shared(self) -> bool:
        """Whether it reads the real traces beside the project."""
        return "../shared" in self.text


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in their order."""
    lines = page.read_text("utf-8").splitlines()
    blocks, number = [], 0
    while number < len(lines):
        opening = FENCE.match(lines[number])
        if opening is None:
            number += 1
            continue
        first = number + 1
        last = next((i for i in range(first, len(lines)) if lines[i].strip() == opening["fence"]), len(lines))
        reason = NOT_RUN.match(lines[number - 1].strip()) if number else None
        blocks.append(Block(page, first, opening["language"], "\n".join(lines[first:last]) + "\n",
                            reason["reason"] if reason else None))  # fmt: skip
        number = last + 1
    return blocks


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
COMMANDS = [block for block in BLOCKS if block.language in SHELL and not block.not_run and block.commands.strip()]
COMMANDS = list({block.commands: block for block in reversed(COMMANDS)}.values())[::-1]  # of those alike, the first
SCRIPTS = [[block for block in blocks_of(page) if block.language == "python" and not block.not_run] for page in PAGES]
SCRIPTS = [blocks for blocks in SCRIPTS if blocks]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project to work in, without what was made in it, and with a part of its trace.

    What the README says of the whole trace is tested in test_readme.py.
    """
    copy = tmp_path_factory.mktemp("docs") / "keepwarm"
    made = shutil.ignore_patterns(".*", "__pycache__", "outputs", "multirun", "runs", "build", "dist", "tests")
    shutil.copytree(ROOT, copy, ignore=made)
    whole = load_trace(copy / "traces" / "default")
    shutil.rmtree(copy / "traces" / "default")
    rows = slice(None, None, EVERY)
    part = replace(
        whole, function=whole.function[rows], arrival_s=whole.arrival_s[rows], duration_s=whole.duration_s[rows]
    )
    part.save(copy / "traces" / "default")
    study = copy / "configs" / "experiment" / "aws_lambda_2020.yaml"
    text = study.read_text()
    for key, number, fewer in (("replications", 100, 3), ("between_calls", 20000, 500)):
        assert f"{key}: {number} " in text
        text = text.replace(f"{key}: {number} ", f"{key}: {fewer} ")
    study.write_text(text)
    return copy


@pytest.fixture(scope="module")
def programs(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a `keepwarm` that starts at once. What `python` does is done by one of its own."""
    folder = tmp_path_factory.mktemp("bin")
    with forked_keepwarm(project, folder):
        yield folder


def run(project: Path, command: list[str], timeout_s: float, *programs: Path) -> None:
    """Run in the copy, with these programs and this environment's; show what was said if it fails."""
    path = os.pathsep.join([*map(str, programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = os.environ | {"PATH": path, "PYTHONPATH": str(project), "PYTHONWARNINGS": "default"}
    env["LOKY_MAX_CPU_COUNT"] = "1"  # a process a command: the other cores have other tests to run
    done = subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr, done.stderr[-3000:]


def run_commands(project: Path, block: Block, *programs: Path) -> None:
    run(project, ["bash", "-euo", "pipefail", "-c", block.commands], TIMEOUT_S, *programs)


def run_script(project: Path, blocks: list[Block]) -> None:
    """As one script whose line numbers are those of the page."""
    lines: list[str] = []
    for block in blocks:
        lines += [""] * (block.line - len(lines)) + block.text.splitlines()
    script = project / f"{blocks[0].page.stem}.py"
    script.write_text("\n".join(lines) + "\n", "utf-8")
    run(project, [sys.executable, str(script)], TIMEOUT_S * len(blocks))


def marked(what: object, blocks: list[Block]) -> object:
    """A parameter of a test, marked if it needs the real traces."""
    return pytest.param(what, id=str(blocks[0]), marks=[pytest.mark.shared] * any(b.needs_shared for b in blocks))


def provide_shared(project: Path, blocks: list[Block], request: pytest.FixtureRequest) -> None:
    """Put the real traces beside the copy, if a block reads them."""
    link = project.parent / "shared"
    if any(block.needs_shared for block in blocks) and not link.exists():
        link.symlink_to(request.getfixturevalue("shared"), target_is_directory=True)


@pytest.mark.parametrize("block", [marked(block, [block]) for block in COMMANDS])
def test_commands(project: Path, programs: Path, block: Block, request: pytest.FixtureRequest) -> None:
    provide_shared(project, [block], request)
    run_commands(project, block, programs)


@pytest.mark.parametrize("blocks", [marked(blocks, blocks) for blocks in SCRIPTS])
def test_python(project: Path, blocks: list[Block], request: pytest.FixtureRequest) -> None:
    provide_shared(project, blocks, request)
    run_script(project, blocks)


def test_hardly_a_block_is_not_run() -> None:
    not_run = [f"{block}: {block.not_run}" for block in BLOCKS if block.not_run]
    assert len(not_run) <= MOST_NOT_RUN, not_run


def test_examples_are_fenced_with_their_language() -> None:
    code = re.compile(r"^(\$ |import |from \w+ import |keepwarm |python -m |make )", re.MULTILINE)
    assert [str(block) for block in BLOCKS if not block.language and code.search(block.text)] == []


def test_every_comment_that_excuses_a_block_stands_above_one() -> None:
    for page in PAGES:
        excuses = [line for line in page.read_text("utf-8").splitlines() if line.strip().startswith("<!-- not run")]
        assert len(excuses) == sum(block.not_run is not None for block in blocks_of(page)), page


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = re.sub(r"^(`{3,}).*?^\1", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"`[^`]*`", "", text))
        broken = [
            t for t in targets if "://" not in t and not t.startswith("mailto:") and not (page.parent / t).exists()
        ]
        assert broken == [], page


# The reader of pages itself

PAGE = """# Page

```python
x = 1
```

<!-- not run: takes a day -->
```bash
sleep 86400
```

```console
$ keepwarm --version
keepwarm 0.1.0
$ make run
$ pip install keepwarm
```

~~~~python
y = "```"
~~~~

```
a picture
```
"""


def test_blocks_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    blocks = blocks_of(page)
    assert [(b.line, b.language, b.not_run) for b in blocks] == [
        (3, "python", None), (8, "bash", "takes a day"), (12, "console", None), (19, "python", None), (23, "", None)
    ]  # fmt: skip
    assert blocks[3].text == 'y = "```"\n'
    assert blocks[2].commands.split("\n") == ["keepwarm --version", "", ""]
    assert blocks[1].commands == "sleep 86400"


def test_a_block_that_fails_fails(project: Path, programs: Path, tmp_path: Path) -> None:
    def block(language: str, text: str) -> Block:
        return Block(tmp_path / "page.md", 1, language, text, None)

    for commands in ("false\ntrue", "keepwarm rum", "false | true"):
        with pytest.raises(AssertionError):
            run_commands(project, block("bash", commands), programs)
    with pytest.raises(AssertionError, match="line 2"):
        run_script(project, [block("python", "x = 1 / 0\n")])
    run_script(project, [block("python", "x = 1\n"), block("python", "\nassert x == 1\n")])
