"""A config.json is untrusted input: what it claims is held against what a model can be."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_KINDS = {"model_type": str, "architectures": list, "id2label": dict, "label2id": dict}
_KINDS["pruned_heads"] = dict
# A block of a model costs some 20 kB of Python objects before it has a weight, a label 200 bytes;
# tables of angles and slopes are made before any weight's shape could contradict.
_MAX_BLOCKS = 20_000
_MOST = {
    r"^num_labels$": 1_000_000,
    r"(size|dim|ndims|embd|^d_\w+)$": 2**24,
    r"(heads?|buckets)$": 2**16,
}
_MAX_FRESH = 50_000_000
_BROKEN = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
_BROKEN += (AssertionError, MemoryError, RecursionError)


def check_fields(values: Mapping[str, Any], path: str) -> None:
    """Refuse what would exhaust memory before any weight is read. Raises ValueError."""
    for name, kind in _KINDS.items():
        if not isinstance(values.get(name), (kind, type(None))):
            raise ValueError(f"{path}: {name} must be a {kind.__name__}, not {values[name]!r:.99}")
    counts = {name: n for name, n in values.items() if isinstance(n, int)}
    layers = [n for name, n in counts.items() if re.search(r"(layers?|groups?|group_num)$", name)]
    experts = [n for name, n in counts.items() if re.search(r"experts$", name)]
    blocks = max(layers, default=1) * max(experts, default=1)
    if blocks > _MAX_BLOCKS:
        raise ValueError(f"{path}: a model of {blocks} blocks; at most {_MAX_BLOCKS}")
    for name, n in counts.items():
        most = next((most for ending, most in _MOST.items() if re.search(ending, name)), n)
        if n > most:
            raise ValueError(f"{path}: {name} is {n}; at most {most}")


def check_fresh(missing: Iterable[tuple[int, ...]], stored: Iterable[Any], source: str) -> None:
    """Refuse to draw far more numbers than a checkpoint holds. Raises ValueError.

    missing: shapes to draw; stored: what the checkpoint holds; source: for messages
    """
    drawn, held = sum(map(math.prod, missing)), sum(math.prod(x.shape) for x in stored)
    if drawn > 8 * held + _MAX_FRESH:
        raise ValueError(
            f"{source}: the configuration asks for {drawn} weights that the checkpoint lacks; it "
            f"holds {held}, of another model. from_config makes one with random weights"
        )


@contextlib.contextmanager
def blaming(source: str, purpose: str) -> Iterator[None]:
    """Turn what a broken configuration leads to into a ValueError that names it.

    source: the file, folder or repo; purpose: what it was read for, "a BertModel"
    """
    try:
        yield
    except OSError:
        raise
    except _BROKEN as error:
        if source in str(error):
            raise
        story = str(error) if isinstance(error, ValueError) else repr(error)
        raise ValueError(f"{source}: its configuration makes no {purpose}: {story}") from error
