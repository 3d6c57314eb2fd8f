"""Batches of a dataset, with the names of torch.utils.data and the same random order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.random import Generator, default_generator


class Dataset:
    """Rows by number. Any object with `__getitem__` and `__len__` will do instead."""

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError("a Dataset defines __getitem__ and __len__")


class IterableDataset(Dataset):
    """Rows one after the other. Any object with `__iter__` alone will do instead."""

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError("an IterableDataset defines __iter__")


class TensorDataset(Dataset):
    """Tuples of rows of several arrays.

    Raises ValueError if they are not of one length.
    """

    def __init__(self, *tensors: np.ndarray):
        if len({len(x) for x in tensors}) > 1:
            raise ValueError(f"arrays of different lengths: {[len(x) for x in tensors]}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple:
        return tuple(x[index] for x in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])


class SequentialSampler:
    """The numbers of the rows in their order."""

    def __init__(self, data_source: Any):
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler:
    """The numbers of the rows in torch's random order.

    replacement: draw each row independently; num_samples: how many, by default as many as rows
    generator: what draws; by default one that the default generator seeds, each time anew
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self.num_samples = len(data_source) if num_samples is None else num_samples
        if self.num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer, not {self.num_samples}")

    def __iter__(self) -> Iterator[int]:
        draw, rows = self.generator, len(self.data_source)
        if draw is None:
            draw = Generator(draw_seed(default_generator))
        if self.replacement:
            for start in range(0, self.num_samples, 32):  # torch draws as many at a time
                count = min(32, self.num_samples - start)
                yield from draw.randint(rows, (count,)).tolist()
            return
        for _ in range(self.num_samples // rows):
            yield from draw.randperm(rows).tolist()
        # drawn even where nothing of it is wanted
        yield from draw.randperm(rows).tolist()[: self.num_samples % rows]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler:
    """Lists of `batch_size` numbers of another sampler.

    drop_last: leave out a last one that is not full
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer, not {batch_size!r}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[int]]:
        return _in_batches(iter(self.sampler), self.batch_size, self.drop_last)

    def __len__(self) -> int:
        rows = len(self.sampler)  # type: ignore[arg-type]
        return rows // self.batch_size if self.drop_last else -(-rows // self.batch_size)


class DataLoader:
    """Batches of a dataset.

    dataset: rows by number, or an iterable of rows
    batch_size: rows of a batch; None hands out single rows
    shuffle: whether in random order; sampler: numbers of rows in their order, instead
    batch_sampler: lists of numbers of rows, instead of all four
    collate_fn: list of rows -> batch; by default `default_collate`
    drop_last: leave out a last batch that is not full
    generator: what draws the order, by default the default generator
    num_workers, pin_memory and the other keywords are accepted: rows are read in this process
    Raises ValueError for options that exclude each other.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Any = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.num_workers, self.generator = num_workers, generator
        self.iterates = not (hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"))
        self.collate_fn = collate_fn or (_as_it_is if batch_size is None else default_collate)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler or drop_last):
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and "
                "drop_last"
            )
        if self.iterates and (shuffle or sampler is not None or batch_sampler is not None):
            raise ValueError("an iterable of rows comes in its own order: no shuffle, no sampler")
        if self.iterates:
            self.sampler, self.batch_sampler = None, None
            return
        if sampler is None:
            kind = RandomSampler if shuffle else SequentialSampler
            sampler = kind(dataset, generator=generator) if shuffle else kind(dataset)  # type: ignore[call-arg]
        self.sampler = sampler
        if batch_sampler is None and batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_sampler = batch_sampler

    def __iter__(self) -> Iterator[Any]:
        draw_seed(self.generator or default_generator)  # torch draws one for its workers
        if not self.iterates:
            rows = self.dataset
            numbers = self.sampler if self.batch_sampler is None else self.batch_sampler
            assert numbers is not None
            fetched: Iterator[Any] = (
                [rows[i] for i in n] if isinstance(n, list) else rows[n] for n in numbers
            )
        elif self.batch_size is None:
            fetched = iter(self.dataset)
        else:
            fetched = _in_batches(iter(self.dataset), self.batch_size, self.drop_last)
        return map(self.collate_fn, fetched)

    def __len__(self) -> int:
        """Batches of one pass. Raises TypeError for an iterable of unknown length."""
        if self.iterates:
            rows, size = len(self.dataset), self.batch_size or 1
            return rows // size if self.drop_last else -(-rows // size)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]


def draw_seed(generator: Generator) -> int:
    """A random number below 2 ** 63, as torch draws seeds for others."""
    high, low = generator.words(2).tolist()
    return ((high << 32) | low) % 2**63


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = None
) -> list[Subset]:
    """Cut a dataset into parts of random rows. lengths: numbers of rows, or fractions of them

    Raises ValueError if the lengths do not add up to the dataset's.
    """
    rows, wanted = len(dataset), list(lengths)
    if abs(sum(wanted) - 1.0) < 1e-9 and all(0 <= n <= 1 for n in wanted):
        wanted = [int(rows * n) for n in wanted]
        for i in range(rows - int(sum(wanted))):  # what rounding left, one each
            wanted[i % len(wanted)] += 1
    if sum(wanted) != rows:
        raise ValueError(f"lengths {wanted} add up to {sum(wanted)}, the dataset has {rows} rows")
    order = (generator or default_generator).randperm(rows).tolist()
    stops = list(itertools.accumulate(int(n) for n in wanted))
    return [Subset(dataset, order[stop - int(n) : stop]) for n, stop in zip(wanted, stops)]


class Subset(Dataset):
    """The rows of a dataset with these numbers."""

    def __init__(self, dataset: Any, indices: Sequence[int]):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)


def default_collate(batch: list[Any]) -> Any:
    """Stack rows: numbers and arrays into arrays, dictionaries and tuples by their elements;
    texts into a list."""
    first = batch[0]
    if isinstance(first, Mapping):
        return {key: default_collate([row[key] for row in batch]) for key in first}
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(column)) for column in zip(*batch)))
    if isinstance(first, (tuple, list)):
        if any(len(row) != len(first) for row in batch):
            raise ValueError(
                "each element in list of batch should be of equal size: pad the rows to one "
                "length, or pass a collate_fn such as DataCollatorWithPadding"
            )
        return [default_collate(list(column)) for column in zip(*batch)]
    if isinstance(first, (np.ndarray, np.generic, int, float)):
        return np.stack([np.asarray(row) for row in batch])
    raise TypeError(f"rows of {type(first).__name__} cannot be collated: pass a collate_fn")


def _in_batches(items: Iterator[Any], size: int, drop_last: bool) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(items, size)):
        if len(batch) == size or not drop_last:
            yield batch


def _as_it_is(row: Any) -> Any:
    return row
