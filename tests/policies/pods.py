"""What a scaler sees of a pod, for tests."""

from sim.policies.scaling.role import PodLoad


def pod(name: int, ready_s: float | None, *levels_s: float) -> PodLoad:
    """One that has served just 1, 2, ... requests for so long, and serves none."""
    return PodLoad(name, -1.0, ready_s, 0, levels_s)
