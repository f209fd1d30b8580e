import csv as plain_csv
import gzip
import lzma
import random
import tracemalloc
from contextlib import suppress
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import TraceError
from sim.workload.readers import csv_columns, csv_lines
from sim.workload.readers.cells import COUNT, MAYBE_NUMBER, MAYBE_TEXT, NOT_NEGATIVE, NUMBER, POSITIVE, TEXT, WHOLE
from sim.workload.readers.csv_columns import header_of, read_blocks, read_header
from sim.workload.readers.faults import MOST_REASONS, Faults
from sim.workload.readers.streams import open_stream

zstd = partial(pa.compress, codec="zstd", asbytes=True)
KINDS = {"name": TEXT, "count": COUNT, "time": NOT_NEGATIVE}
HEADER = "name,count,time\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "table.csv"


def rows(file, kinds=KINDS, faults=None, **options):
    blocks = list(read_blocks(file, kinds, faults, **options))
    cells = [row for block in blocks for row in zip(*(block[name].to_pylist() for name in kinds), strict=True)]
    numbers = [int(i) for block in blocks for i in block.row]
    return cells, numbers


def message(file, kinds=KINDS):
    with pytest.raises(TraceError) as error:
        rows(file, kinds)
    return str(error.value)


def test_columns_in_the_order_asked_for(file):
    file.write_text("extra,time,name,count\nx,0.5,f,3\n,1e2,é,0\n")
    assert rows(file) == ([("f", 3, 0.5), ("é", 0, 100.0)], [1, 2])


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        lzma.compress,
        zstd,
        lambda d: gzip.compress(d[:9]) + gzip.compress(d[9:]),
        lambda d: lzma.compress(d[:9]) + b"\0" * 8 + lzma.compress(d[9:]),
        lambda d: zstd(d[:9]) + zstd(d[9:]),
        lambda d: b"\x50\x2a\x4d\x18\x04\0\0\0skip" + zstd(d),
    ],
)
def test_compressed_in_one_stream_or_several(file, pack):
    file.write_bytes(pack(f"{HEADER}f,3,0.5\ng,4,1\n".encode()))
    assert rows(file) == ([("f", 3, 0.5), ("g", 4, 1.0)], [1, 2])


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, zstd])
@pytest.mark.parametrize(
    "harm", [lambda d: d[:-1], lambda d: d[: len(d) // 2], lambda d: d[:30], lambda d: d + b"more"]
)
def test_a_damaged_archive_is_named(file, pack, harm):
    file.write_bytes(harm(pack(HEADER.encode() + random.Random(0).randbytes(2000).hex().encode())))
    said = message(file)
    assert "table.csv" in said
    assert "damaged, or was cut short" in said


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_checksum_finds_a_flipped_bit(file, pack):
    data = bytearray(pack(HEADER.encode() + b"f,1,2\n" * 500))
    for place in range(12, len(data)):
        data[place] ^= 4
        file.write_bytes(bytes(data))
        with suppress(TraceError):
            assert len(rows(file)[0]) == 500
        data[place] ^= 4


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"PK\x03\x04....", "ZIP archive: unpack it"),
        (b"Rar!\x1a\x07\x01\x00....", "RAR archive: unpack it"),
        (b"7z\xbc\xaf\x27\x1c....", "7z archive"),
        (b"BZh91AY&SY....", "bzip2"),
        (b"PAR1....", "Parquet"),
        (b"\x80\x04\x95....", "pickle"),
        (gzip.compress(b"x" * 257 + b"ustar" + b"\0" * 300, mtime=0), "tar archive: unpack it"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (HEADER.encode("utf-16-le"), "UTF-16"),
        (HEADER.encode("utf-16-be"), "UTF-16"),
    ],
)
def test_other_kinds_of_files_are_named(file, data, part):
    file.write_bytes(data)
    assert part in message(file)
    assert header_of(file) == []


def test_memory_stays_bounded(file):
    """50 MB of one line, and of many, compressed."""
    file.write_bytes(gzip.compress(b"7" * 50_000_000))
    assert "longer than" in message(file)
    file.write_bytes(gzip.compress(HEADER.encode() + b"name,1,2\n" * 6_000_000, 1))
    tracemalloc.start()
    total = sum(len(block) for block in read_blocks(file, KINDS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 6_000_000
    assert peak < 45_000_000


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\n\n"])
@pytest.mark.parametrize("last", ["", "\n"])
def test_line_ends_and_byte_order_marks(file, ends, start, last):
    file.write_bytes(start + (HEADER + "f,3,0.5\ng,4,1" + last).replace("\n", ends).encode())
    assert rows(file) == ([("f", 3, 0.5), ("g", 4, 1.0)], [1, 2])


@pytest.mark.parametrize(
    ("row", "parts"),
    [
        ("f,0x10,1", ["row 2", "'count'", "'0x10'", "line 3"]),
        ("f,1.0,1", ["'count'", "'1.0'"]),
        ("f,2147483648,1", ["'count'", "2147483648", "2147483647"]),
        ("f,1,1_0", ["'time'", "'1_0'"]),
        ("f,1,0x10", ["'time'", "'0x10'"]),
        ("f,1,nan", ["'time'", "'nan'"]),
        ("f,1,1e31", ["'time'", "'1e31'"]),
        ("f,1,-0.5", ["'time'", "'-0.5'"]),
        ("f,\u0661,1", ["'count'", "\u0661"]),
        (",1,1", ["'name'", "empty"]),
        ("a\tb,1,1", ["'name'", "control"]),
        ("a\0b,1,1", ["'name'", "control"]),
        ('"f,1,1', ["row 2", "quoted cell", "line 3"]),
        ('"f"x,1,1', ["row 2", "expected after"]),
        ("f,1", ["row 2", "2 cells, not 3", "line 3"]),
        ("f,1,1,1", ["row 2", "4 cells"]),
        ("  ", ["row 2", "1 cells"]),
        ("f\udcff,1,1", ["row 2", "UTF-8", "line 3"]),
        ("f,1," + "9" * 400, ["row 2", "..."]),
    ],
)
@pytest.mark.parametrize("far", [False, True])
def test_the_first_fault_is_named_and_lenient_leaves_it_out(file, row, parts, far):
    blank = "\n" * 5 if far else ""
    text = f"{HEADER}{blank}good,1,1\n{row}\ng,1,1\nh,-1,1\n"
    file.write_bytes(text.encode(errors="surrogateescape"))
    said = message(file).replace("line 8", "line 3")
    assert all(part in said for part in parts), said
    faults = Faults(lenient=True)
    cells, numbers = rows(file, faults=faults)
    assert cells == [("good", 1, 1.0), ("g", 1, 1.0)]
    assert numbers == [1, 3]
    report = faults.report()
    assert report["rows_dropped"] == 2 == sum(report["rows_dropped_because"].values())
    assert report["first_dropped"] == message(file)


def test_whatever_the_delimiter_is(file):
    file.write_text("name;count;time\nf,g;1;2\n")
    assert rows(file, delimiter=";") == ([("f,g", 1, 2.0)], [1])
    file.write_text("name\tcount\ttime\nf\t1\t2\n")
    assert rows(file, delimiter="\t") == ([("f", 1, 2.0)], [1])
    assert "is its delimiter a comma?" in message(file)


def test_what_may_be_missing(file):
    kinds = {"a": MAYBE_NUMBER, "b": MAYBE_TEXT}
    file.write_text("a,b\n1,x\n,\nNaN,NaN\nnull,y\n")
    block = next(read_blocks(file, kinds))
    np.testing.assert_array_equal(block.numbers("a"), [1, np.nan, np.nan, np.nan])
    assert block.text("b") == ["x", "", "NaN", "y"]
    file.write_text('a,b\n1,x\n"",\nNaN,NaN\nnull,y\n')  # line by line
    again = next(read_blocks(file, kinds))
    np.testing.assert_array_equal(again.numbers("a"), block.numbers("a"))
    assert again.text("b") == block.text("b")


def test_nothing_there(file, tmp_path):
    assert "cannot be read: No such file" in message(tmp_path / "none.csv")
    file.write_text(HEADER + "\n\n")
    assert "no rows below" in message(file)
    file.write_text(HEADER + "f,x,1\nf,y,1\n")
    with pytest.raises(TraceError, match=r"none of its 2 rows can be used: .*'x'"):
        rows(file, faults=Faults(lenient=True))
    file.write_text("")
    with pytest.raises(TraceError, match="is empty"):
        read_header(file, ())


def test_many_reasons_are_summed_up(file):
    names = [f"c{i}" for i in range(40)]
    spoilt = [",".join("x" if i == j else "1" for i in range(40)) for j in range(40)]
    file.write_text(",".join(names) + "\n" + "\n".join([*spoilt, ",".join("1" * 40)]))
    faults = Faults(lenient=True)
    rows(file, dict.fromkeys(names, COUNT), faults)
    assert faults.rows == 40
    assert len(faults.reasons) == MOST_REASONS + 1
    assert faults.reasons["other reasons"] == 20


printable = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters=',"\u2028\u2029\x85')
reals = st.floats(allow_nan=False, allow_infinity=False).map(repr)
cells = {
    TEXT: st.text(printable, min_size=1),
    COUNT: st.integers(0, 2**31).map(str) | st.sampled_from(["-1", "0x10", "1e3", "", " 5", "007"]),
    WHOLE: st.integers(0, 2**62).map(str) | st.just(str(2**63)),
    NUMBER: reals | st.sampled_from(["+5", "inf", "5.", ".5", "1e5", "-"]),
    POSITIVE: st.floats(0, 1e30).map(str) | st.sampled_from(["-0.0", "5e-324", "nan"]),
}


@given(st.lists(st.tuples(*cells.values()), min_size=1, max_size=8), st.booleans())
def test_both_ways_of_reading_agree(tmp_path_factory, table, quoted):
    """Arrow's and ours: the same rows, or the same error."""
    kinds = {str(i): kind for i, kind in enumerate(cells)}
    file = tmp_path_factory.mktemp("table") / "t.csv"
    with file.open("w", newline="", encoding="utf-8") as text:
        style = plain_csv.QUOTE_ALL if quoted else plain_csv.QUOTE_MINIMAL
        plain_csv.writer(text, quoting=style).writerows([list(kinds), *table])

    def outcome():
        faults = Faults(lenient=True)
        try:
            found = rows(file, kinds, faults)
        except TraceError as error:
            return str(error)
        return found, dict(faults.reasons)

    first = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_columns._Table, "_is_plain", lambda *_: False)
        assert outcome() == first


def test_blocks_end_where_lines_do(file, monkeypatch):
    monkeypatch.setattr(csv_lines, "BLOCK_BYTES", 64)
    table = [(f"f{i}", i, i / 8) for i in range(500)]
    for ends in ("\n", "\r\n", "\r"):
        text = HEADER + "".join(f"{name},{count},{time}\n" for name, count, time in table)
        file.write_bytes(text.replace("\n", ends).encode())
        assert rows(file) == (table, list(range(1, 501)))
    file.write_text(text.replace("f321,321,", "f321,-321,"))
    assert "row 322, column 'count'" in message(file)
    assert "(line 323)" in message(file)


def test_rows_that_contradict_a_rule_of_the_reader(file):
    file.write_text(HEADER + "\nf,1,1\ng,2,1\n\nf,3,1\nf,4,1\n")
    block = next(read_blocks(file, KINDS))
    with pytest.raises(TraceError, match=r"row 3, column 'name': must not be there twice, not 'f' \(line 6\)"):
        block.without_repeated(["name"], set())
    faults = Faults(lenient=True)
    kept = next(read_blocks(file, KINDS, faults)).without_repeated(["name"], set())
    assert kept.text("name") == ["f", "g"]
    assert faults.report()["rows_dropped_because"] == {"name must not be there twice": 2}


def test_codes_number_keys_by_first_appearance(file):
    file.write_text("a,b\nx,1\ny,1\nx,1\nx,2\n")
    index = {"y\n1": 0}
    block = next(read_blocks(file, {"a": TEXT, "b": TEXT}))
    assert block.codes(["a", "b"], index).tolist() == [1, 0, 1, 2]
    assert list(index) == ["y\n1", "x\n1", "x\n2"]


def test_streams_are_closed(file):
    file.write_bytes(gzip.compress(HEADER.encode() + b"f,1,1\n"))
    blocks = read_blocks(file, KINDS)
    next(blocks)
    blocks.close()
    with open_stream(file) as stream:
        assert stream.readline() == HEADER.encode()
    assert stream.closed


def test_lenient_must_be_said_plainly():
    with pytest.raises(TraceError, match="true or false"):
        Faults(lenient="no")  # type: ignore[arg-type]
