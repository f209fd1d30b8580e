"""Randomness as a function: counter-based draws with the same bits wherever they are computed.

A *stream* is a 64-bit key mixed from (seed, replication, purpose, function key); draw i of a stream is output i of
SplitMix64 started at that key (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014,
with their variant of Stafford's 13th mixer). There is no state: any draw of any function can be had alone, so slicing
a trace, sharding it or running another policy changes no number that is still asked for.

Every function here works on Python integers and on numpy ``uint64`` arrays alike, and gives the same bits.
"""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

UInt = TypeVar("UInt", int, "npt.NDArray[np.uint64]")
"""64 bits: a Python integer, or an array of them."""

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_TO_UNIT = 2.0**-53


def mix64(z: UInt) -> UInt:
    """Scramble 64 bits into 64 bits, one to one (SplitMix64's finaliser)."""
    mixed: Any = z  # numpy's stubs do not know that uint64 with a Python integer stays uint64
    mixed = ((mixed ^ (mixed >> 30)) * _MIX_1) & _MASK
    mixed = ((mixed ^ (mixed >> 27)) * _MIX_2) & _MASK
    return cast(UInt, mixed ^ (mixed >> 31))


def purpose_id(purpose: str) -> int:
    """The 64 bits that stand for what a draw is for, such as ``"start.runtime"``."""
    return int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")


def stream(seed: int, replication: int, purpose: str, key_high: UInt, key_low: UInt) -> UInt:
    """The stream of one function (or, with arrays, of each function) for one purpose.

    Args:
        seed: the run's seed, any integer (taken modulo 2**64).
        replication: number of the replication, from 0.
        purpose: what is drawn.
        key_high: one half of the function's 128-bit key (see `function_keys`).
        key_low: the other half.
    """
    state = mix64((seed + _GOLDEN) & _MASK)
    state = mix64(((state ^ (replication & _MASK)) + _GOLDEN) & _MASK)
    state = mix64(((state ^ purpose_id(purpose)) + _GOLDEN) & _MASK)
    high: Any = key_high
    low: Any = key_low
    mixed = mix64(((high ^ state) + _GOLDEN) & _MASK)
    return cast(UInt, mix64(((mixed ^ low) + _GOLDEN) & _MASK))


def uniform(key: int, index: int) -> float:
    """Draw `index` (from 0) of the stream `key`: a float64 in [0, 1) with 53 random bits."""
    return (mix64((key + (index + 1) * _GOLDEN) & _MASK) >> 11) * _TO_UNIT


def uniforms(key: npt.NDArray[np.uint64] | np.uint64, index: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """`uniform` for arrays that broadcast together; `index` counts from 0."""
    state = np.asarray(key, np.uint64) + (index.astype(np.uint64) + np.uint64(1)) * np.uint64(_GOLDEN)
    return (mix64(state) >> np.uint64(11)).astype(np.float64) * _TO_UNIT


def function_keys(
    owners: list[str], apps: list[str], names: list[str]
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    """128-bit keys of functions as two uint64 arrays (high, low): a hash of owner, app and function name."""
    texts = (  # lengths, so that no two triples read alike
        f"{len(owner)}:{owner}/{len(app)}:{app}/{len(name)}:{name}/"
        for owner, app, name in zip(owners, apps, names, strict=True)
    )
    digests = b"".join([hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts])
    words = np.frombuffer(digests, "<u8").astype(np.uint64).reshape(-1, 2)
    return words[:, 0].copy(), words[:, 1].copy()


def generator(seed: int, replication: int, purpose: str) -> np.random.Generator:
    """A numpy generator keyed like the streams, for synthesis and the bootstrap (one a purpose, not one a function)."""
    low = stream(seed, replication, purpose, 0, 0)
    high = stream(seed, replication, purpose, 0, 1)
    return np.random.Generator(np.random.Philox(key=(high << 64) | low))
