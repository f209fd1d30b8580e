"""Reading pickles without running them: what pandas of all ages wrote, and what somebody hostile might write."""

import contextlib
import gc
import os
import pickle
import pickletools
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim import TraceError
from sim.workload.readers.ibm2026.frames import NAMES, NotATableError, apply, cell_numbers
from sim.workload.readers.ibm2026.inert import Items
from sim.workload.readers.ibm2026.machine import Machine
from sim.workload.readers.ibm2026.pickles import read_table
from sim.workload.readers.ibm2026.tape import Tape

OLD = sorted((Path(__file__).parent / "pickles").glob("*.pickle"))
MB = 1 << 20


def run(data: bytes, limit_mb: float = 50):
    return Machine(Tape(BytesIO(data), Path("x.pickle"), limit_mb), NAMES, apply).read()


def lists(cells):
    return [[float(number) for number in cell_numbers(cell)] for cell in cells]


def table_of(tmp_path, frame, protocol=5):
    frame.to_pickle(tmp_path / "t.pickle", protocol=protocol)
    return read_table(tmp_path / "t.pickle", (), 50)


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
def test_tables_of_all_ages(file):
    columns = read_table(file, ("NamespaceHash",), 50)
    assert columns["NamespaceHash"] == ["n0", "n1"]
    assert columns["AppHash"] == ["a", "b"]
    assert columns["NumEvents"] == [2, 1]
    assert lists(columns["InvocationTimes"]) == [[17999.5, 18000.25], [18001.0]]
    assert lists(columns["AppExecTimes"]) == [[3.0, 4.0], [5.0]]
    assert lists(columns["TotalExecTimes"]) == [[4.0, 5.0], [6.0]]
    assert [list(cell) for cell in columns["PodHash"]] == [["p", "q"], ["p"]]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("text", ["str", "object"])
def test_tables_of_the_pandas_that_is_here(tmp_path, protocol, text):
    rng = np.random.default_rng(0)
    times = [rng.random(n).tolist() for n in (0, 1, 7, 8, 9, 2500)]
    mixed = [[int(t * 1e6) if i % 3 else t for i, t in enumerate(cell)] for cell in times]
    frame = pd.DataFrame({
        "a": pd.Series(list("äbcdef"), dtype=text), "n": range(6), "times": times, "mixed": mixed,
        "arrays": [np.array(cell, np.float32) for cell in times], "whole": [np.arange(k) for k in range(6)],
        "x": np.arange(6.0), "scalars": [list(np.array(cell)) for cell in times],
    })  # fmt: skip
    frame.columns = pd.Index(list(frame.columns), dtype=text)
    columns = table_of(tmp_path, frame, protocol)
    assert list(columns) != []
    assert columns["a"] == list("äbcdef")
    assert columns["n"] == list(range(6))
    assert columns["x"] == [0.0, 1, 2, 3, 4, 5]
    assert lists(columns["times"]) == lists(columns["scalars"]) == times
    assert lists(columns["mixed"]) == mixed
    assert lists(columns["whole"]) == [list(range(k)) for k in range(6)]
    assert lists(columns["arrays"])[5] == pytest.approx(times[5])


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f[f["n"] > 0],
        lambda f: f.sort_values("n", ascending=False),
        lambda f: f.set_index("n"),
        lambda f: f[f.columns[::-1]].assign(z=1.5),
        lambda f: f.T.T,
        lambda f: pd.concat([f, f]),
        lambda f: f.iloc[::2],
        lambda f: f.iloc[:0],
        lambda f: pd.DataFrame(np.asfortranarray(f.to_numpy()), columns=f.columns),
        lambda f: pd.DataFrame(np.asfortranarray(np.arange(12).reshape(4, 3)), columns=list("abc")),
        lambda f: pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc")),
    ],
)
@pytest.mark.parametrize("protocol", [4, 5])
def test_tables_that_were_worked_on(tmp_path, change, protocol):
    frame = change(pd.DataFrame({"a": list("wxyz"), "n": range(4), "m": range(4, 8), "b": [[1.5], [2], [], [3, 4]]}))
    columns = table_of(tmp_path, frame, protocol)
    assert set(columns) == set(frame.columns)
    for name in frame.columns:
        found = [list(cell) if type(cell) is Items else cell for cell in columns[name]]
        assert found == frame[name].tolist()


INTEGERS = st.integers(-(2**53), 2**53) | st.integers(-(2**53), 2**53).map(lambda n: n << 60)
"""Those that float64 has: in a list, numbers are kept as that."""


@given(st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
), st.sampled_from([2, 3, 4, 5]))  # fmt: skip
@example([0.5] * 3000 + [1, 0.25] + [7] * 2000, 4)
@example((*[0.5] * 40, "a"), 2)
@example({str(i): float(i) for i in range(3000)}, 5)
def test_plain_values_are_what_pickle_says(value, protocol):
    assert plain(run(pickle.dumps(value, protocol))) == value


def plain(value):
    if isinstance(value, Items):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def test_a_list_of_numbers_is_compact():
    items = run(pickle.dumps([float(i) for i in range(100_000)]))
    assert all(isinstance(part, np.ndarray) for part in items.parts)
    assert items.numbers().tolist() == list(range(100_000))


class Calls:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


def op(*parts: bytes) -> bytes:
    return b"\x80\x04" + b"".join(parts)


def name(module: str, attribute: str) -> bytes:
    return b"c" + f"{module}\n{attribute}\n".encode()


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


HERE = "touch RAN"
HOSTILE = {
    "os.system": (pickle.dumps(Calls(os.system, (HERE,))), ["posix system", "byte"]),
    "eval": (pickle.dumps(Calls(eval, ("open('RAN','w')",))), ["builtins eval"]),
    "in a list in a list": (pickle.dumps([[1.5, Calls(os.system, (HERE,))]]), ["posix system", "(byte 42)"]),
    "as an item of a table": (
        pickle.dumps(pd.DataFrame({"a": [Calls(os.system, (HERE,))]})), ["posix system"]),
    "as the class of a table": (op(name("os", "system"), text(HERE), b"\x85R."), ["os system", "(byte 2)"]),
    "as a nested name": (op(text("numpy"), text("f2py.os.system"), b"\x93", text(HERE), b"\x85R."), ["f2py.os.system"]),
    "numpy's loader": (op(name("numpy", "load"), text("x.npy"), b"\x85R."), ["numpy load"]),
    "another way to a known class": (op(name("pandas", "DataFrame.eval"), b")R."), ["pandas DataFrame.eval"]),
    "a name by a name": (op(name("builtins", "slice"), text("x"), b"\x93."), ["not text"]),
    "INST": (op(b"(" + text(HERE) + b"ios\nsystem\n."), ["INST", "not read"]),
    "OBJ": (op(b"(", name("builtins", "slice"), b"o."), ["OBJ", "not read"]),
    "NEWOBJ_EX": (op(name("builtins", "slice"), b")}\x92."), ["NEWOBJ_EX"]),
    "an extension": (op(b"\x82\x01."), ["EXT1"]),
    "a persistent id": (op(text("x"), b"Q."), ["BINPERSID"]),
    "an out-of-band buffer": (op(b"\x97."), ["NEXT_BUFFER"]),
    "a call of a value": (op(text("x"), b")R."), ["not a name"]),
    "a call of a list": (op(b"])R."), ["not a name"]),
    "a call without a tuple": (op(name("builtins", "slice"), b"NR."), ["not a name"]),
    "bytes of a number": (op(name("builtins", "bytearray"), b"J\xff\xff\xff\x7f\x85R."), ["bytes"]),
    "a scalar of objects": (
        op(name("numpy.core.multiarray", "scalar"), name("numpy", "dtype"), text("O8"), b"\x85R", b"C\x080000000\x00",
           b"\x86R."), ["type that is not read"]),
    "a state for a value": (op(text("x"), b"}b."), ["str", "Made"]),
    "a state for a name": (op(name("builtins", "slice"), b"}b."), ["Name", "Made"]),
    "a state twice": (op(name("pandas", "DataFrame"), b")R}b}b."), ["twice"]),
    "items for a record": (op(name("pandas", "DataFrame"), b")R(Ne."), ["Made", "Items"]),
    "keys that are lists": (op(b"}]Ns."), ["keys"]),
    "keys that are records": (op(b"}", name("pandas", "DataFrame"), b")RNs."), ["keys"]),
    "a memo that is not there": (op(b"h\x05."), ["recalls value 5", "of 0"]),
    "a memo far ahead": (op(b"Nr\xff\xff\xff\x7f."), ["not the next"]),
    "no value to remember": (op(b"\x94."), ["where there is none"]),
    "no mark": (op(b"Nt."), ["mark"]),
    "no value": (op(b"."), ["where there is none"]),
    "too few values": (op(b"N\x87."), ["where there is none"]),
    "values left over": (op(b"NN."), ["left over"]),
    "a mark left over": (op(b"N(N."), ["left over"]),
    "more after the end": (op(b"N.N"), ["after its end"]),
    "a promise of exabytes": (op(b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."), ["50 MB", "memory_limit_mb"]),
    "a promise of bytes": (op(b"\x96\xff\xff\xff\x00\x00\x00\x00\x00."), ["ends in the middle"]),
    "a long integer": (op(b"\x8a\xff" + b"\xff" * 255 + b"."), ["255 bytes"]),
    "a name without end": (op(b"c" + b"a" * 5000), ["without end"]),
    "text that is none": (op(b"\x8c\x01\xff."), ["UTF-8"]),
    "protocol 0": (pickle.dumps([1], 0), ["protocol"]),
    "protocol 9": (b"\x80\x09N.", ["protocol"]),
    "not a pickle": (b"PK\x03\x04 and so on", ["not a Python pickle"]),
    "nothing": (b"", ["ends in the middle"]),
}  # fmt: skip


@pytest.mark.parametrize(("data", "parts"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_pickles_are_refused_and_nothing_is_run(tmp_path, monkeypatch, data, parts):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TraceError) as error:
        run(data)
    assert all(part in str(error.value) for part in ["x.pickle", "byte", *parts]), error.value
    assert not (tmp_path / "RAN").exists()


def test_the_place_is_named():
    data = pickle.dumps([[0.5] * 500_000, Calls(os.system, (HERE,))])
    at = next(place for opcode, _, place in pickletools.genops(data) if opcode.name == "STACK_GLOBAL")
    with pytest.raises(TraceError, match=rf"\(byte {at:,}\)"):
        run(data)


def test_laughs_by_the_billion_take_no_memory():
    laughs = b"".join(b"(" + bytes([ord("h"), i]) * 10 + b"t\x94" for i in range(200))
    nested = run(op(b"(", text("ha"), b"\x94", laughs, b"t."))
    assert len(nested) == 201
    deep = run(op(b")", b"\x85" * 300_000, b"."), limit_mb=100)
    del nested, deep
    gc.collect()


@pytest.mark.parametrize("piece", [b"N", b"]", b"}", b"(", b"N\x85", b"]\x94", b"M\xff\xff", b"\x8c\x02ab"])
def test_what_grows_is_stopped(piece):
    data = piece * (MB // len(piece))
    with pytest.raises(TraceError, match="2 MB"):
        run(op(data, b"."), limit_mb=2)


def test_one_list_in_every_row_is_not_read_a_million_times(tmp_path):
    shared = [0.5] * 100_000
    frame = pd.DataFrame({"a": [shared] * 1000})
    assert [cell_numbers(cell).size for cell in table_of(tmp_path, frame)["a"][:2]] == [100_000] * 2


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
def test_every_cut_is_noticed(file):
    data = file.read_bytes()
    for end in range(len(data)):
        with pytest.raises(TraceError):
            run(data[:end])


@pytest.mark.parametrize("file", OLD, ids=lambda file: file.stem)
@given(st.data())
def test_every_flip_is_an_error_or_a_table(tmp_path_factory, file, data):
    damaged = bytearray(file.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    target = tmp_path_factory.mktemp("flip") / "t.pickle"
    target.write_bytes(damaged)
    try:
        columns = read_table(target, (), 50)
    except TraceError as error:
        said = str(error)
    else:
        said = "t.pickle"
        assert all(isinstance(name, str) for name in columns)
        for cell in (cell for cells in columns.values() for cell in cells):
            with contextlib.suppress(NotATableError):
                cell_numbers(cell)
    assert "t.pickle" in said
