"""Columns of a dataset as inputs of a pipeline. The module's name is the reference's."""

from __future__ import annotations

from typing import Any


class KeyDataset:
    """One column. dataset: rows by index, each a mapping"""

    def __init__(self, dataset: Any, key: str):
        self.dataset, self.key = dataset, key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Any:
        return self.dataset[i][self.key]


class KeyPairDataset:
    """Two columns, as the two texts of a pair. dataset: rows by index, each a mapping"""

    def __init__(self, dataset: Any, key1: str, key2: str):
        self.dataset, self.key1, self.key2 = dataset, key1, key2

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> dict[str, Any]:
        row = self.dataset[i]
        return {"text": row[self.key1], "text_pair": row[self.key2]}
