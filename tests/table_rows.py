"""The few functions of `datasets` that the notebooks call, for tests without that library.

That takes 200 MB with pyarrow and pandas; tests use it where it is installed, and this elsewhere.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any


class Dataset:
    """Columns of equal length. columns: {name: values}"""

    def __init__(self, columns: dict[str, list]):
        self._columns = columns
        self.column_names = list(columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._columns[key]
        return {name: values[key] for name, values in self._columns.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[i] for i in range(len(self)))

    def select(self, indices: Iterable[int]) -> Dataset:
        chosen = list(indices)
        return Dataset({name: [x[i] for i in chosen] for name, x in self._columns.items()})

    def shuffle(self, seed: int | None = None) -> Dataset:
        return self.select(random.Random(seed).sample(range(len(self)), len(self)))

    def remove_columns(self, names: list[str]) -> Dataset:
        return Dataset({n: x for n, x in self._columns.items() if n not in names})

    def flatten(self) -> Dataset:
        flat: dict[str, list] = {}
        for name, values in self._columns.items():
            if isinstance(values[0], dict):
                flat |= {f"{name}.{k}": [value[k] for value in values] for k in values[0]}
            else:
                flat[name] = values
        return Dataset(flat)

    def map(
        self, function: Callable, *, batched: bool = False, remove_columns: Iterable[str] = ()
    ) -> Dataset:
        if batched:
            made = {name: list(values) for name, values in function(self._columns).items()}
        else:
            rows = [function(row) for row in self]
            made = {name: [row[name] for row in rows] for name in rows[0]}
        kept = {n: x for n, x in self._columns.items() if n not in set(remove_columns)}
        return Dataset(kept | made)

    def train_test_split(self, test_size: float, seed: int | None = None) -> DatasetDict:
        mixed, tested = self.shuffle(seed), math.ceil(len(self) * test_size)
        rest = range(tested, len(self))
        return DatasetDict(train=mixed.select(rest), test=mixed.select(range(tested)))


class DatasetDict(dict):
    """Data sets by the names of their splits."""

    def map(self, function: Callable, **options: Any) -> DatasetDict:
        return DatasetDict({k: data.map(function, **options) for k, data in self.items()})

    def flatten(self) -> DatasetDict:
        return DatasetDict({k: data.flatten() for k, data in self.items()})


def load_dataset(path: str, split: str | None = None) -> Any:
    """The splits of a folder, one `.jsonl` file each, or one of them: "train" or "train[:100]"."""
    splits = DatasetDict()
    for file in sorted(Path(path).glob("*.jsonl")):
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        splits[file.stem] = Dataset({name: [row[name] for row in rows] for name in rows[0]})
    if split is None:
        return splits
    match = re.fullmatch(r"(\w+)(?:\[:(\d+)\])?", split)
    assert match, split
    data = splits[match[1]]
    return data.select(range(int(match[2]))) if match[2] else data
