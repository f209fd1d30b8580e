"""Writing a trace by function, block by block: the same bytes however it is cut, and all or nothing."""

import errno

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_partitioned import SMALL, layouts, little, tied, traces

from sim import ConfigError, PartitionWriter, TraceError, load_trace, open_trace, save_by_function
from sim.workload.partition.layout import Layout

TWO = pd.DataFrame({"name": ["f", "g"]})


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(writer, blocks):
    with writer:
        for block in blocks:
            writer.write(*block)


@given(traces(), layouts, st.data())
def test_blocks_may_be_cut_anywhere(tmp_path_factory, trace, layout, data):
    folder = tmp_path_factory.mktemp("trace")
    saved = save_by_function(trace, folder / "saved", layout=layout)
    layout = open_trace(saved).layout
    groups = pd.Series(np.arange(len(trace))).groupby(trace.arrival_s).cumcount().to_numpy()
    writer = PartitionWriter(folder / "cut", trace.functions, trace.horizon_s, about=trace.about, layout=layout)
    with writer:
        for function in range(len(trace.functions)):
            mine = np.flatnonzero(trace.function == function)
            cuts = sorted(data.draw(st.lists(st.integers(0, mine.size), max_size=3)))
            for block in np.split(mine, cuts):
                tie = groups[block] if layout.ties else None
                writer.write(function, trace.arrival_s[block], trace.duration_s[block], tie)
    assert contents(folder / "cut") == contents(saved)


def test_the_same_trace_gives_the_same_bytes(tmp_path):
    for trace in (little(), tied()):
        one = save_by_function(trace, tmp_path / "one", layout=SMALL)
        two = save_by_function(load_trace(one), tmp_path / "new" / "two", layout=SMALL)
        assert contents(one) == contents(two)


def test_ties_that_nobody_told_are_in_order_of_function(tmp_path):
    with PartitionWriter(tmp_path / "t", TWO) as writer:
        writer.write(0, [1, 2, 2], [0, 1, 2])
        writer.write(1, [1, 2], [3, 4])
    trace = load_trace(tmp_path / "t")
    assert trace.function.tolist() == [0, 1, 0, 0, 1]
    assert trace.duration_s.tolist() == [0, 3, 1, 2, 4]
    assert trace.horizon_s == 2.0


def test_functions_may_be_left_out(tmp_path):
    with PartitionWriter(tmp_path / "t", TWO, 60) as writer:
        writer.write(1, [-0.0], [-0.0])
    trace = load_trace(tmp_path / "t")
    assert trace.calls_per_function.tolist() == [0, 1]
    assert not np.signbit([trace.arrival_s, trace.duration_s]).any()
    assert trace.horizon_s == 60.0


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([(2, [0], [0])], "there is no function 2 among 2"),
        ([(-1, [0], [0])], "there is no function -1"),
        ([(1, [0], [0]), (0, [1], [0])], "function 0 comes after 1"),
        ([(0, [1, 3, 2], [0, 0, 0])], "row 2, column 'arrival_s': must not be earlier .* 2.0 is"),
        ([(0, [5], [0]), (0, [4], [0])], "row 0, column 'arrival_s': must not be earlier .* 4.0 is"),
        ([(0, [0, np.nan], [0, 0])], "row 1, column 'arrival_s': must be a finite number of seconds >= 0, not nan"),
        ([(0, [-1], [0])], "row 0, column 'arrival_s': .* not -1.0"),
        ([(0, [1], [np.inf])], "row 0, column 'duration_s': .* not inf"),
        ([(0, ["x"], [0])], "column 'arrival_s': not numbers"),
        ([(0, [[1]], [0])], "column 'arrival_s': must be one-dimensional"),
        ([(0, [1, 2], [0])], "equally long"),
        ([(0, [1], [0], [0])], "tie must be given"),
    ],
)
def test_what_cannot_be_written_leaves_nothing(tmp_path, blocks, message):
    with pytest.raises(TraceError, match=message):
        write(PartitionWriter(tmp_path / "t", TWO), blocks)
    assert list(tmp_path.iterdir()) == []


def test_any_error_leaves_what_was_there(tmp_path):
    before = contents(save_by_function(little(), tmp_path / "t"))

    def blocks():
        yield 0, range(11), [1] * 11
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(PartitionWriter(tmp_path / "t", TWO, layout=SMALL), blocks())
    assert contents(tmp_path / "t") == before
    assert [path.name for path in tmp_path.iterdir()] == ["t"]


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sim.workload.partition.writer.write_head", full)
    with pytest.raises(OSError, match="No space left"), PartitionWriter(tmp_path / "t", TWO) as writer:
        writer.write(0, [1], [1])
    assert list(tmp_path.iterdir()) == []


def test_a_writer_says_when_it_is_not_open(tmp_path):
    writer = PartitionWriter(tmp_path / "t", TWO)
    with pytest.raises(TraceError, match="inside the with block"):
        writer.write(0, [1], [1])


def test_only_its_own_kind_is_replaced(tmp_path):
    trace = little()
    trace.save(tmp_path / "canonical")
    with pytest.raises(TraceError, match="not a trace of this form"):
        save_by_function(trace, tmp_path / "canonical")
    save_by_function(trace, tmp_path / "t")
    with pytest.raises(TraceError, match="not a trace of this form"):
        trace.save(tmp_path / "t")
    save_by_function(tied(), tmp_path / "t")
    assert len(open_trace(tmp_path / "t")) == 6
    (tmp_path / "t" / "notes.md").write_text("mine")
    with pytest.raises(TraceError, match=r"notes\.md"):
        save_by_function(trace, tmp_path / "t")


def test_what_a_writer_refuses_at_once(tmp_path):
    with pytest.raises(TraceError, match="horizon_s must be a finite number >= 0, not -1"):
        PartitionWriter(tmp_path / "t", TWO, -1)
    with pytest.raises(TraceError, match="the column is missing"):
        PartitionWriter(tmp_path / "t", pd.DataFrame({"app": ["a"]}))
    with pytest.raises(ConfigError, match="group_calls must be a whole number >= 1, not 0"):
        Layout(group_calls=0)
