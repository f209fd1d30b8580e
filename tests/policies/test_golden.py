"""Golden decisions: the same ten calls of one function under every shipped policy, worked out by hand."""

import pytest
from plans import calls, lives, log, run

from sim import policies
from sim.policies import (
    AdaptiveWindow,
    Clairvoyant,
    FixedWindow,
    FunctionIdleWindow,
    HybridHistogram,
    KeepAlive,
    KeepForever,
    LambdaScaling,
    NoKeepAlive,
    OpenWhiskPool,
    PingWarmer,
    ProvisionedFloor,
    Scaling,
    Scheduled,
    SkiRental,
    StemCells,
)

TEN = calls(*[(a, 10.0) for a in (0.0, 5.0, 100.0, 700.0, 1400.0, 2000.0, 2700.0, 9000.0, 9005.0, 30000.0)])
"""The second and the ninth overlap the call before; gaps of 85, 590, 690, 590, 690, 6290 and 20985 s."""

GOLDEN = (
    (NoKeepAlive(), "C C C C C C C C C C"),
    (FixedWindow(600), "C C W W C W C C C C"),
    (KeepForever(), "C C W W W W W W W W"),
    (Clairvoyant(600), "C C W W C W C C C C"),
    (SkiRental(600), "C C W W C W C C C C"),
    # Drawn at the ends of the calls: 166, 317, 175, 514, 397, 587, 65, 309, 508 and 541 s.
    (SkiRental(600, randomised=True), "C C W C C C C C C C"),
    (AdaptiveWindow(), "C C W W C W C C C C"),  # the default of 600 s
    # The longest gap so far, in sixteenths of a doubling: 600, 600, 600, 608, 704, 704, 704, 6400, 6400 and 14400 s.
    (AdaptiveWindow(quantile=1.0, min_gaps=2), "C C W W C W W C C C"),
    (HybridHistogram(), "C C W W W W W W W C"),  # the standard window of 14400 s
    # The first instance idles from 10 s in the standard window, so that at 164 s none is prewarmed. From 710 s on the
    # head is 60 s and the tail 600, later 720 s: prewarmed 54 s after each end, and kept until 660, later 792 s after.
    (HybridHistogram(min_gaps=1), "C C W W C P P C C C"),
    (ProvisionedFloor(1, window_s=600), "P C W W W W W W C W"),
    (PingWarmer(period_s=300, window_s=600), "C W W W W W W W W W"),  # pings beside busy instances start others
    (Scheduled(((0.0, 0), (1000.0, 1), (8000.0, 0))), "C C W W P W W C C C"),
    (StemCells(), "C C W W C W C C C C"),  # cells make starts shorter, and these take no time; test_stem_cells has more
    (LambdaScaling(), "C C W W C W C C C C"),  # a window of 600 s, far from any limit
    (OpenWhiskPool(), "C C W W C W C C C C"),  # 610 s
    (FunctionIdleWindow(window_s=640, surplus_window_s=1300), "C C W W C W C C C C"),
)


@pytest.mark.parametrize(("policy", "kinds"), GOLDEN, ids=lambda value: repr(value)[:50])
def test_ten_calls(policy: KeepAlive, kinds: str) -> None:
    ran = run(TEN, policy)
    first_on_prewarmed = set(ran.requests.prewarmed.tolist())
    made = ["P" if row in first_on_prewarmed else kind[0].upper() for row, (_, kind, _) in enumerate(log(ran))]
    assert " ".join(made) == kinds


def test_clairvoyant_ends_at_once_what_the_window_keeps_in_vain() -> None:
    ended = {
        policy: [ended_s for *_, ended_s in lives(run(TEN, policy))] for policy in (FixedWindow(600), Clairvoyant())
    }
    assert ended[FixedWindow(600)] == [610.0, 1310.0, 2610.0, 3310.0, 9610.0, 9615.0, 30610.0]
    assert ended[Clairvoyant()] == [10.0, 710.0, 2010.0, 2710.0, 9010.0, 9015.0, 30010.0]


def test_every_shipped_policy_has_its_ten_calls() -> None:
    """Those that scale have timelines of their own."""
    shipped = {getattr(policies, name) for name in policies.__all__} - {KeepAlive}
    shipped = {cls for cls in shipped if not issubclass(cls, Scaling)}
    assert shipped - {type(policy) for policy, _ in GOLDEN} == set()
    assert len(TEN) == 10
