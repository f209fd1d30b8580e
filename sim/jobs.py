"""Jobs: a configured run done in a folder of its own, shown, and left so that it can be gone on with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
from rich.console import Console
from rich.table import Table

from sim.core.errors import ConfigError
from sim.experiment.experiment import SHARED, Ran, run_experiment
from sim.experiment.index import CELLS, INDEX, Index, write_index
from sim.experiment.manifest import manifest
from sim.experiment.run_folder import CLAIM, CONFIG, write_manifest, write_table
from sim.experiment.runner import CellsFailedError, Runner
from sim.report.drawing import save_figure, write_report
from sim.report.progress import progress
from sim.report.table import comparison_table, comparison_text
from sim.report.text_table import plain_text, text_table
from sim.results.outcome import Outcome
from sim.results.store import parquet_bytes, write_whole
from sim.run_config import Run
from sim.studies.role import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAILURES: Final = "failures.txt"
DECISIONS: Final = "decisions.parquet"
"""What scalers decided; there if any policy scales."""


@dataclass(frozen=True)
class Job:
    """A run, where its results go, and who looks.

    Attributes:
        run: what was configured.
        config_yaml: the configuration, as it is written.
        overrides: those of the command line.
        options: its other words.
        folder: for the results, and this run's alone.
        console: what people see.
        started: when.
    """

    run: Run
    config_yaml: str
    overrides: Sequence[str]
    folder: Path
    console: Console
    started: datetime
    options: Sequence[str] = ()

    def do(self) -> None:
        """One comparison or study: read, simulate, write, show."""
        try:
            if self.run.study is None:
                self._compare()
            else:
                self._study(self.run.study)
        except OSError as error:
            raise ConfigError(f"{short(self.folder)}: {error}") from error

    def _compare(self) -> None:
        cells = self.folder / CELLS
        cells.mkdir(exist_ok=True)
        _clear(cells)
        write_whole(self.folder / CONFIG, self.config_yaml.encode())
        try:
            ran = self._run_cells(cells)
        finally:
            if not any(cells.glob("*.parquet")):  # nothing that could be gone on with
                rmtree(cells)
                rmtree(self.folder / "functions", ignore_errors=True)
                for name in (CONFIG, INDEX):
                    (self.folder / name).unlink(missing_ok=True)
        if cells.exists():
            write_index(ran.index, self.folder)
        if ran.index.failures:
            raise CellsFailedError("\n".join(ran.index.failures))
        told = {**_traces(ran), **_engines(ran), "not_reusable": list(ran.unsure)}
        facts = self._manifest(told, ran.replications)
        outcome = ran.index.outcome(config_yaml=self.config_yaml, manifest=facts)
        publish(outcome, self.folder, page=self.run.report)
        (self.folder / FAILURES).unlink(missing_ok=True)
        write_manifest(self.folder, facts)
        show(outcome, self.console)
        for why in ran.unsure:
            self._say(f"run anew each time, since it cannot be told whether they are the same: {why}")
        self._say_written()

    def _run_cells(self, cells: Path) -> Ran:
        run = self.run
        with progress(self.console) as watch:
            runner = Runner(
                run.executor, cells, [folder / CELLS for folder in run.reuse], run.limit_s, run.fail_fast, watch
            )
            try:
                return run_experiment(run.experiment, runner, self._write_plan)
            finally:
                traces = [f"{done.error}\n{done.trace}" for done in runner.failures.values()]
                if traces:
                    write_whole(self.folder / FAILURES, "\n\n".join(traces).encode())

    def _write_plan(self, index: Index) -> None:
        write_index(index, self.folder)

    def _study(self, study: Study) -> None:
        with self.console.status(type(study).__name__):
            found = study.run(self.run.setting, self.run.replications.min)
        facts = self._manifest({"inputs": found.inputs}, self.run.replications.min)
        save_figures(found.figures, self.folder)
        write_whole(self.folder / CONFIG, self.config_yaml.encode())
        write_table(self.folder, "findings", found.frame, found.notes)
        write_manifest(self.folder, facts)
        _show(self.console, text_table(found.shown, found.notes), plain_text(found.shown, found.notes))
        self._say_written()

    def _manifest(self, facts: Mapping[str, Any], replications: int) -> dict[str, Any]:
        return manifest(
            facts, self.run.setting, overrides=self.overrides, options=self.options, replications=replications,
            started=self.started, ended=datetime.now(UTC),
        )  # fmt: skip

    def _say_written(self) -> None:
        written = ", ".join(sorted(p.name for p in self.folder.iterdir() if p.name != CLAIM))
        self._say(f"written to {short(self.folder)}: {written}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _traces(ran: Ran) -> dict[str, Any]:
    """The facts of the one trace, or of each variant's."""
    different = {facts["hash"] for facts in ran.traces.values()}
    if len(different) == 1:
        return {"trace": next(iter(ran.traces.values()))}
    return {"traces": ran.traces}


def _engines(ran: Ran) -> dict[str, Any]:
    """Which engine each policy took, of the one variant or of each."""
    return {"engines": ran.engines if len(ran.engines) > 1 else next(iter(ran.engines.values()))}


def _clear(cells: Path) -> None:
    """Remove what a run that was killed left half done."""
    for path in (*cells.glob(f"{SHARED}*"), *cells.glob(".*.partial")):
        if path.is_dir():
            rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def publish(outcome: Outcome, folder: Path, *, page: bool = True) -> None:
    """Write all that an outcome is handed on as: the tables and, with `page`, the report with its figures."""
    write_table(folder, "comparison", outcome.frame, outcome.notes)
    write_table(folder, "differences", outcome.differences)
    decisions = outcome.decisions()
    if len(decisions):
        write_whole(folder / DECISIONS, parquet_bytes(pa.Table.from_pandas(decisions, preserve_index=False)))
    if page:
        write_report(outcome, folder)


def show(outcome: Outcome, console: Console) -> None:
    """The comparison of every variant, as a table for a terminal or as text for a file or pipe."""
    for variant in outcome.variants:
        if variant.label:
            console.print(variant.label, style="bold", markup=False, highlight=False)
        frame, notes = variant.frame, variant.notes
        _show(console, comparison_table(frame, notes, width=console.width), comparison_text(frame, notes))


def _show(console: Console, table: Table, text: str) -> None:
    if console.is_terminal:
        console.print(table)
    else:
        console.print(text, markup=False, highlight=False, soft_wrap=True)


def save_figures(figures: Mapping[str, Figure], folder: Path) -> None:
    """Write each as PNG and SVG, whole or not at all."""
    with TemporaryDirectory(prefix=".", dir=folder) as unfinished:
        files = [file for name, figure in figures.items() for file in save_figure(figure, Path(unfinished) / name)]
        for file in files:
            file.replace(folder / file.name)


def short(folder: Path) -> Path:
    """A folder as seen from the working directory."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
