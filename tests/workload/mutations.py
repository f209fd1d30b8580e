"""Ways in which a file goes wrong."""

import gzip
import lzma
import random
from collections.abc import Callable
from functools import partial

import pyarrow as pa

ODD_CELLS = [
    "", " ", "nan", "NaN", "inf", "-inf", "-1", "-0", "0x10", "0X1F", "1e3", "1e400", "1e308", "-1e308", "1e-400",
    "99999999999", "2147483648", "9223372036854775807", "9223372036854775808", "1_000", "1,5", "1.5", "+5", " 7 ",
    "\t7", "\u0661\u0662", "\uff11\uff12", "true", "null", "None", '"', '""', '"7"', '"a\nb"', "a\x00b", "\x01", "é",
    "\ud7ff", "=1+1", "'7", "7ms", "2021-01-31 00:00:00", "x" * 5000, "9" * 400,
]  # fmt: skip


PACK: list[Callable[[bytes], bytes]] = [
    partial(gzip.compress, mtime=0),  # the same bytes every time
    lzma.compress,
    partial(pa.compress, codec="zstd", asbytes=True),
]


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 3, 20])):
        spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def garbage(data: bytes, rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 4000))


def nothing(data: bytes, rng: random.Random) -> bytes:
    return b""


def insert_bytes(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data) + 1)
    odd = rng.choice([b"\x00", b"\xff\xfe", b"\xe9", b'"', b"\r", b"\x1a", rng.randbytes(9)])
    return data[:place] + odd + data[place:]


def remove_bytes(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + data[place + rng.randrange(1, 200) :]


def twice(data: bytes, rng: random.Random) -> bytes:
    return data + data


def compress(data: bytes, rng: random.Random) -> bytes:
    codec = rng.choice(["gzip", "xz", "zstd", "lz4", "brotli"])  # the last two are not read
    if codec == "gzip":
        return PACK[0](data)
    if codec == "xz":
        return lzma.compress(data)
    return pa.compress(data, codec=codec, asbytes=True)


def compress_badly(data: bytes, rng: random.Random) -> bytes:
    pack = rng.choice(PACK)
    harm = rng.choice([truncate, truncate, flip_bits, lambda d, r: d + r.randbytes(30), lambda d, r: d + d[:20]])
    return harm(pack(data), rng)


def rows_of(data: bytes) -> list[list[str]]:
    return [line.split(",") for line in data.decode().splitlines()]


def text_of(rows: list[list[str]]) -> bytes:
    return "".join(",".join(row) + "\n" for row in rows).encode(errors="surrogatepass")


def drop_column(data: bytes, rng: random.Random) -> bytes:
    rows = rows_of(data)
    column = rng.randrange(len(rows[0]))
    return text_of([row[:column] + row[column + 1 :] for row in rows])


def rename_column(data: bytes, rng: random.Random) -> bytes:
    rows = rows_of(data)
    column = rng.randrange(len(rows[0]))
    name = rows[0][column]
    rows[0][column] = rng.choice([name + "x", name.upper(), f" {name}", f'"{name}"', "", rows[0][0], "1e400", "é"])
    return text_of(rows)


def double_column(data: bytes, rng: random.Random) -> bytes:
    rows = rows_of(data)
    column = rng.randrange(len(rows[0]))
    return text_of([[*row, row[column]] for row in rows])


def swap_columns(data: bytes, rng: random.Random) -> bytes:
    rows = rows_of(data)
    one, other = rng.randrange(len(rows[0])), rng.randrange(len(rows[0]))
    for row in rows:
        row[one], row[other] = row[other], row[one]
    return text_of(rows)


def odd_cells(data: bytes, rng: random.Random) -> bytes:
    rows = rows_of(data)
    for _ in range(rng.choice([1, 1, 2, 6])):
        row = rows[rng.randrange(1 if rng.random() < 0.9 else 0, len(rows))]
        row[rng.randrange(len(row))] = rng.choice(ODD_CELLS)
    return text_of(rows)


def cut_rows(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    for _ in range(rng.choice([1, 1, 3])):
        i = rng.randrange(len(lines))
        lines[i] = lines[i][: rng.randrange(len(lines[i]) + 1)] + rng.choice([b"", b"\n"])
    return b"".join(lines)


def shuffle_rows(data: bytes, rng: random.Random) -> bytes:
    head, *lines = data.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join([head, *lines] if rng.random() < 0.8 else [*lines, head])


def repeat_rows(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines, *rng.choices(lines, k=3)])


def only_header(data: bytes, rng: random.Random) -> bytes:
    return data.splitlines(keepends=True)[0] + rng.choice([b"", b"\n\n\n"])


def line_ends(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\n\r", b"\x0b", b"\xe2\x80\xa8"]))


def delimiters(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b",", rng.choice([b";", b"\t", b"|", b", ", b" ", b",,"]))


def encodings(data: bytes, rng: random.Random) -> bytes:
    return data.decode().encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-7"]))


def latin(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + "é".encode("latin-1") + data[place:]


def quotes(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.3:
        return text_of([[f'"{cell}"' for cell in row] for row in rows_of(data)])
    place = rng.randrange(len(data))
    return data[:place] + b'"' + data[place:]


def endless_line(data: bytes, rng: random.Random) -> bytes:
    return data + b"7" * (5 << 20)


Mutation = Callable[[bytes, random.Random], bytes]
ANY: list[Mutation] = [
    flip_bits, flip_bits, truncate, garbage, nothing, insert_bytes, remove_bytes, twice, compress, compress_badly,
]  # fmt: skip
TEXT: list[Mutation] = [
    drop_column, rename_column, double_column, swap_columns, odd_cells, odd_cells, odd_cells, cut_rows, shuffle_rows,
    repeat_rows, only_header, line_ends, delimiters, encodings, latin, quotes,
]  # fmt: skip
ENDLESS_SHARE = 0.004


def mutate(data: bytes, rng: random.Random, *, text: bool) -> tuple[str, bytes]:
    """What a mutation is called, and what it makes of a file that is not empty."""
    chosen = rng.choice(ANY + TEXT * 2 if text else ANY)
    if text and rng.random() < ENDLESS_SHARE:
        chosen = endless_line
    return chosen.__name__, chosen(data, rng)
