"""The registry of deployed functions."""

from __future__ import annotations

import pandas as pd

from sim.platform.code_store import CodeStore


class Registry:
    """What is known of each deployed function, and where its code lies.

    Deploying puts a function's package or image into the code store and keeps the link to it.

    Attributes:
        functions: the table.
        concurrency: of each, requests that an instance serves at a time.
        memory_mb: of each, memory of an instance.
        cpu_share: of each, cores that a request asks for.
        link: of each, to its code.
    """

    def __init__(self, functions: pd.DataFrame, code_store: CodeStore) -> None:
        self.functions = functions
        self.concurrency: list[int] = functions["concurrency"].tolist()
        self.memory_mb: list[float] = functions["memory_mb"].astype(float).tolist()
        self.cpu_share: list[float] = functions["cpu_share"].astype(float).tolist()
        kinds, sizes_mb = functions["package_kind"].tolist(), functions["package_mb"].tolist()
        self.link = [code_store.put(kind, size_mb) for kind, size_mb in zip(kinds, sizes_mb, strict=True)]

    def units(self, isolation: str) -> list[int]:
        """For each function the unit that shares instances: itself, or its app."""
        if isolation == "function":
            return list(range(len(self.functions)))
        return [int(unit) for unit in self.functions.groupby(["owner", "app"], sort=False).ngroup()]
