"""The heap of ends that the kernels of tallies keep, against the heap of the standard library."""

import heapq
from math import inf

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st

from sim.engine.compiled.tally import ends, setup
from sim.engine.compiled.tally.layout import BLOCK

pytestmark = pytest.mark.xdist_group("compiled")  # one process compiles


@examples(400)
@given(st.lists(st.none() | st.sampled_from([0.0, 1.0, 1 / 3, 2.0]) | st.floats(0, 1e300), max_size=120))
def test_the_next_one_is_first(steps: list[float | None]) -> None:
    heap, twin = np.full(200, np.nan), []
    for end_s in steps:
        if end_s is not None:
            ends.push(heap, len(twin), end_s)
            heapq.heappush(twin, end_s)
        elif twin:
            ends.drop_first(heap, len(twin))
            heapq.heappop(twin)
        assert not twin or heap[0] == twin[0]
        assert sorted(heap[: len(twin)].tolist()) == sorted(twin)
        assert not twin or (heap[len(twin) : len(twin) + 3] == inf).all()


def test_thousands_come_out_in_order() -> None:
    drawn = np.random.default_rng(1).exponential(1.0, 5000)
    heap, out = np.empty(5003), []
    for size, end_s in enumerate(drawn.tolist()):
        ends.push(heap, size, end_s)
    for size in range(5000, 0, -1):
        out.append(heap[0])
        ends.drop_first(heap, size)
    assert out == sorted(drawn.tolist())


@pytest.mark.parametrize("calls", [1, BLOCK, BLOCK + 1, 5 * BLOCK])
def test_as_many_ends_as_there_may_be_stay_inside(calls: int) -> None:
    for queues in (setup.queues(calls), setup.wider(setup.queues(calls))):
        memory = np.full(queues.heap.size + 8, np.nan)
        heap = memory[: queues.heap.size]
        for size in range(queues.stack.size - 1):
            ends.push(heap, size, float(-size))
        assert np.isnan(memory[queues.heap.size :]).all()
