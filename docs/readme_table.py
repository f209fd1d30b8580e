"""Make the README's table and figure anew: ``python docs/readme_table.py``. A test holds the table against a run."""

from __future__ import annotations

import re
from pathlib import Path

from sim import config, run_config
from sim.experiment.comparison import compare
from sim.report.figures import pareto, save_figure
from sim.report.table import comparison_markdown
from sim.results.outcome import VariantOutcome

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(<!-- table: make run -->\n).*?(<!-- end -->)", re.DOTALL)


def default_comparison() -> VariantOutcome:
    """What ``make run`` compares."""
    values = config.plain(config.compose_config())
    run = run_config.build_run(values, [config.config_dir()], config.trusted())
    return compare(run.load_trace(), run.policies, run.setting, replications=run.replications, jobs=None)


def with_table(readme: str, compared: VariantOutcome) -> str:
    """The README with its table replaced."""
    table = comparison_markdown(compared.frame)
    return BLOCK.sub(lambda found: f"{found[1]}{table.strip()}\n{found[2]}", readme)


if __name__ == "__main__":
    compared = default_comparison()
    readme = ROOT / "README.md"
    readme.write_text(with_table(readme.read_text(encoding="utf-8"), compared), encoding="utf-8")
    save_figure(pareto(compared.frame, compared.notes), ROOT / "docs" / "figures" / "pareto")
