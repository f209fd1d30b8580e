"""Every reader against damaged files: a clear error, or a right answer; never a traceback, a hang or silence."""

import csv
import gzip
import json
import lzma
import random
import signal
import zlib
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from mutations import mutate
from samples import MAKERS, load

from sim import Trace, TraceError, load_trace
from sim.workload.load import READERS

MUTATIONS = 400
PARTS = 4
LONGEST_S = 10
COMPRESSIBLE = [name for name in MAKERS if name not in ("by_function", "canonical", "parquet")]
PACKED = (b"\x1f\x8b", b"\xfd7z", b"\x28\xb5\x2f\xfd")
PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def test_every_reader_has_a_sample():
    assert set(MAKERS) == set(READERS)


@contextmanager
def time_limit():
    def stop(*_):
        raise AssertionError(f"still reading after {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check(trace: Trace) -> None:
    """What holds for every trace."""
    assert trace.function.dtype == np.int32
    assert trace.function.shape == trace.arrival_s.shape == trace.duration_s.shape
    assert np.all((trace.function >= 0) & (trace.function < len(trace.functions)))
    for column in (trace.arrival_s, trace.duration_s):
        assert np.all(np.isfinite(column) & (column >= 0))
    assert np.all(np.diff(trace.arrival_s) >= 0)
    assert 0 <= trace.horizon_s < np.inf
    assert not len(trace) or trace.arrival_s[-1] <= trace.horizon_s
    assert not trace.functions.isna().any(axis=None)
    json.dumps(dict(trace.about), allow_nan=False)


def rows_in(file) -> int:
    return sum(map(bool, file.read_bytes().splitlines())) - 1


@pytest.mark.parametrize("format", MAKERS)
def test_the_sample_is_read(format, tmp_path):
    sample = MAKERS[format]()
    sample.write(tmp_path)
    trace = load(sample, tmp_path, format)
    check(trace)
    assert len(trace) == sample.calls
    assert trace.about["report"]["rows_dropped"] == 0
    assert "dropped" not in repr(trace)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("format", MAKERS)
def test_damage_is_an_error_or_a_right_answer(format, part, tmp_path):
    sample = MAKERS[format]()
    rng = random.Random(zlib.crc32(f"{format} {part}".encode()))
    names = sorted(sample.files)
    read, messages = 0, []
    for i in range(MUTATIONS // PARTS):
        sample.write(tmp_path)
        name = rng.choice(names)
        done, data = mutate(sample.files[name], rng, text=name.endswith((".csv", ".txt")))
        (tmp_path / name).write_bytes(data)
        lenient = bool(i % 2)
        try:
            with time_limit():
                trace = load(sample, tmp_path, format, lenient=lenient)
        except TraceError as error:
            messages.append(str(error))
            continue
        except BaseException as error:
            raise AssertionError(f"mutation {i}, {done} of {name}, lenient={lenient}: {error!r}") from error
        read += 1
        check(trace)
        if name == sample.calls_file and not data.startswith(PACKED):
            dropped = trace.about["report"]["rows_dropped"]
            assert lenient or not dropped
            assert len(trace) + dropped == rows_in(tmp_path / name), (i, done)
    assert messages
    assert all(10 < len(message) < 2000 for message in messages)
    assert read or sample.calls_file is None


def plainly_read(data):
    """What a strict reader of azure2021 may find in a file that it accepts."""
    header, *rows = [next(csv.reader([line.decode("utf-8-sig")])) for line in data.splitlines() if line]
    place = [header.index(name) for name in ("app", "func", "end_timestamp", "duration")]
    calls = [[row[i] for i in place] for row in rows]
    return sorted((max(float(end) - float(took), 0.0), float(took), app, func) for app, func, end, took in calls)


def test_what_is_accepted_is_what_plain_python_reads(tmp_path):
    sample = MAKERS["azure2021"]()
    rng, accepted = random.Random(3), 0
    for _ in range(300):
        _, data = mutate(sample.files["trace.txt"], rng, text=True)
        (tmp_path / "trace.txt").write_bytes(data)
        try:
            trace = load(sample, tmp_path, "azure2021")
        except TraceError:
            continue
        if data.startswith(PACKED):
            continue
        accepted += 1
        of_call = trace.functions.iloc[trace.function]
        found = zip(trace.arrival_s.tolist(), trace.duration_s.tolist(), of_call["app"], of_call["name"], strict=True)
        assert sorted(found) == plainly_read(data)
    assert accepted > 25


@pytest.mark.parametrize("file", ["counts.parquet", "invocations.parquet"])
def test_flipped_bits_of_a_saved_trace_are_found(tmp_path, file):
    """Every page of our Parquet files has a checksum."""
    sample = MAKERS["canonical"]()
    sample.write(tmp_path)
    if file == "invocations.parquet":
        load(sample, tmp_path, "canonical").recorded().save(tmp_path)
    whole = (tmp_path / file).read_bytes()
    intact = load(sample, tmp_path, "canonical").content_hash()
    rng, refused = random.Random(4), 0
    for _ in range(100):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (tmp_path / file).write_bytes(bytes(data))
        try:
            assert load(sample, tmp_path, "canonical").content_hash() == intact
        except TraceError:
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("format", COMPRESSIBLE)
def test_compressed_files_are_told_by_content(format, suffix, tmp_path):
    sample = MAKERS[format]()
    sample.write(tmp_path)
    before = load(sample, tmp_path, format).content_hash()
    for name, data in sample.files.items():
        (tmp_path / name).write_bytes(PACK[suffix](data))
    assert load(sample, tmp_path, format).content_hash() == before


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("format", COMPRESSIBLE)
def test_compressed_files_may_say_so_in_their_names(format, suffix, tmp_path):
    sample = MAKERS[format]()
    sample.write(tmp_path)
    before = load(sample, tmp_path, format).content_hash()
    for name, data in sample.files.items():
        (tmp_path / name).unlink()
        (tmp_path / f"{name}{suffix}").write_bytes(PACK[suffix](data))
    path = tmp_path / (f"{sample.path}{suffix}" if sample.path else "")
    assert load_trace(path, format, **sample.options).content_hash() == before
    if format != "csv":  # its sample does not have our names
        assert load_trace(path, **sample.options).about["format"] == format
