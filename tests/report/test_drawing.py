"""What stands for the functions that draw has their parameters, and imports nothing until it is called."""

import inspect
from collections.abc import Callable

import pytest

from sim.report import drawing, figures, report, trace_figures


@pytest.mark.parametrize(
    ("late", "meant"),
    [
        (drawing.write_report, report.write_report),
        (drawing.save_figure, figures.save_figure),
        (drawing.trace_figures, trace_figures.trace_figures),
    ],
    ids=lambda function: function.__name__,
)
def test_it_is_called_as_what_it_stands_for(late: Callable[..., object], meant: Callable[..., object]) -> None:
    ours, theirs = inspect.signature(late), inspect.signature(meant)
    kept = [theirs.parameters[name] for name in ours.parameters]
    assert [p.annotation for p in ours.parameters.values()] == [p.annotation for p in kept]
    assert list(ours.parameters) == list(theirs.parameters)[: len(kept)]
    left_out = list(theirs.parameters.values())[len(kept) :]
    assert all(p.default is not p.empty for p in left_out)
    assert ours.return_annotation == theirs.return_annotation
