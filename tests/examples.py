"""How many examples a law is tried on: a sixth of them every day, all of them with KEEPWARM_THOROUGH=1."""

import os

from hypothesis import settings

PART = 1 if os.environ.get("KEEPWARM_THOROUGH") else 6


def examples(most: int) -> settings:
    """Settings of a test that is thorough with `most` examples."""
    return settings(max_examples=max(most // PART, 1))
