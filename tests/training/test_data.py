"""DataLoader and samplers, in torch's order."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from minitransformers import default_data_collator, set_seed
from minitransformers.core.random import Generator, default_generator
from minitransformers.training.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "loader.json").read_text(encoding="utf-8")
)
ORDERS, ROWS = GOLDEN["orders"], list(range(37))


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("name", GOLDEN["loaders"])
def test_order_of_batches(name: str, own: bool) -> None:
    set_seed(5)
    given = {"generator": Generator(3)} if own else {}
    loader = DataLoader(ROWS, **GOLDEN["loaders"][name], **given)
    wanted = ORDERS[f"{name}/{own}"]
    epochs = [[np.asarray(batch).tolist() for batch in loader] for _ in range(2)]
    assert epochs == wanted["epochs"]
    assert default_generator.randint(1000, (1,))[0] == wanted["next"]
    assert len(loader) == len(epochs[0])


@pytest.mark.parametrize(("n", "replacement"), GOLDEN["samplers"])
def test_random_sampler(n: int, replacement: bool) -> None:
    set_seed(5)
    sampler = RandomSampler(ROWS, replacement, n)
    assert list(sampler) == ORDERS[f"sampler/{n}/{replacement}"]
    assert len(sampler) == n


@pytest.mark.parametrize("i", range(len(GOLDEN["splits"])))
def test_random_split(i: int) -> None:
    set_seed(5)
    parts = random_split(ROWS, GOLDEN["splits"][i])
    assert [part.indices for part in parts] == ORDERS[f"split/{i}"]
    assert [len(part) for part in parts] == [len(x) for x in ORDERS[f"split/{i}"]]


def test_what_is_handed_out() -> None:
    data = TensorDataset(np.arange(12).reshape(6, 2), np.arange(6.0))
    batches = list(DataLoader(data, 4))
    np.testing.assert_array_equal(batches[0][0], np.arange(8).reshape(4, 2))
    np.testing.assert_array_equal(batches[1][1], [4.0, 5.0])
    assert list(DataLoader(data, 4, collate_fn=len)) == [4, 2]
    chosen = DataLoader(Subset(data, [3, 1]), batch_size=None)
    assert [int(row[1]) for row in chosen] == [3, 1]
    sampler = BatchSampler(SequentialSampler(data), 4, False)
    assert list(DataLoader(data, batch_sampler=sampler, collate_fn=len)) == [4, 2]
    stream = (i for i in range(5))
    assert [b.tolist() for b in DataLoader(stream, 2)] == [[0, 1], [2, 3], [4]]
    assert list(DataLoader(iter("abc"), batch_size=None)) == ["a", "b", "c"]


def test_default_collate() -> None:
    Pair = namedtuple("Pair", "a b")
    rows = [{"x": 1, "y": [1.5, 2], "t": "a", "p": Pair(1, np.ones(2))}] * 2
    batch = default_collate(rows)
    assert batch["t"] == ["a", "a"]
    assert [y.tolist() for y in batch["y"]] == [[1.5, 1.5], [2, 2]]
    assert batch["x"].dtype == np.int64
    assert batch["p"].b.shape == (2, 2)
    with pytest.raises(ValueError, match="equal size"):
        default_collate([[1, 2], [3]])
    with pytest.raises(TypeError, match="pass a collate_fn"):
        default_collate([object()])


def test_options_that_exclude_each_other() -> None:
    for options in ({"sampler": [0], "shuffle": True}, {"batch_sampler": [[0]], "batch_size": 2}):
        with pytest.raises(ValueError, match="mutually exclusive"):
            DataLoader(ROWS, **options)
    with pytest.raises(ValueError, match="own order"):
        DataLoader(iter(ROWS), shuffle=True)
    with pytest.raises(ValueError, match="positive integer"):
        DataLoader(ROWS, batch_size=0)
    with pytest.raises(ValueError, match="different lengths"):
        TensorDataset(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="add up"):
        random_split(ROWS, [1, 2])
    with pytest.raises(TypeError):
        len(DataLoader(iter(ROWS)))


def test_several_labels_of_a_row_are_float() -> None:
    batch = default_data_collator([{"label": [0, 1, 1]}, {"label": [1, 0, 0]}])
    assert batch["labels"].dtype == np.float32
    assert default_data_collator([{"label": 1}, {"label": 0}])["labels"].dtype == np.int64
