"""Continuous batching: many prompts of different lengths and budgets, a full batch at all times.

Finished rows leave batch and cache, waiting requests take their places. A new request is run on its
own once, over its prompt; its cache then joins the others, all aligned at the last position.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .config import GenerationConfig
from .generate import generate_steps
from .greedy import Greedy, Sample


@dataclasses.dataclass
class _Row:
    """A request being served. ids: (1, length) its text, unpadded"""

    number: int
    ids: np.ndarray
    strategy: Greedy


def generate_batch(
    model: Any,
    requests: Iterable[Any],
    generation_config: GenerationConfig | None = None,
    max_batch_size: int = 8,
    **kwargs: Any,
) -> list[np.ndarray]:
    """Continue many prompts, each as if it were alone.

    requests: prompts, each a sequence of ids, or a dictionary with `input_ids` and parameters of
        its own such as `max_new_tokens`; taken from the iterable as places get free
    max_batch_size: rows computed at once
    other keywords: parameters for all requests; greedy search and sampling
    -> for each request (length,) ids, its prompt included
    Raises ValueError for an encoder-decoder model, and for parameters that ask for beams.
    """
    results: dict[int, np.ndarray] = {}
    batches = serve_batch(model, requests, generation_config, max_batch_size, **kwargs)
    for number, ids in batches:
        results[number] = ids
    return [results[number] for number in sorted(results)]


def serve_batch(
    model: Any,
    requests: Iterable[Any],
    generation_config: GenerationConfig | None = None,
    max_batch_size: int = 8,
    **kwargs: Any,
) -> Iterator[tuple[int, np.ndarray]]:
    """As `generate_batch`, yielding (number of the request, ids (length,)) as soon as each is
    finished."""
    if model.config.is_encoder_decoder:
        raise ValueError("generate_batch serves decoder-only models; batch others with generate()")
    waiting = enumerate(requests)
    rows: list[_Row] = []
    state: Any = None
    exhausted = False
    while rows or not exhausted:
        # a place is worth the copying of caches once a quarter of the batch is free
        free = max_batch_size - len(rows)
        if not exhausted and (not rows or free * 4 >= max_batch_size):
            admitted: list = []
            while len(admitted) < free:
                request = next(waiting, None)
                if request is None:
                    exhausted = True
                    break
                admitted.append(_begin(model, *request, generation_config, kwargs))
            for row, own, logits in admitted:
                if _advance(row, logits):
                    yield row.number, row.ids[0]
                    continue
                state = own if state is None else state.joined(own)
                rows.append(row)
        if not rows:
            state = None
            continue
        logits = state.step(_aligned(rows, state.length + 1))["logits"][:, -1]
        over = [_advance(row, logits[i : i + 1]) for i, row in enumerate(rows)]
        for row, ended in zip(rows, over):
            if ended:
                yield row.number, row.ids[0]
        if any(over):
            staying = [i for i, ended in enumerate(over) if not ended]
            rows = [rows[i] for i in staying]
            state = state.joined(None, np.array(staying)) if rows else None


def _begin(
    model: Any, number: int, request: Any, config: GenerationConfig | None, kwargs: dict
) -> tuple[_Row, Any, np.ndarray]:
    """Run a prompt. -> its row, its state, and the logits of the first token"""
    own = dict(request) if hasattr(request, "keys") else {"input_ids": request}
    ids = np.atleast_2d(np.asarray(own.pop("input_ids")))
    generation = generate_steps(model, ids, copy.deepcopy(config), **(kwargs | own))
    if type(generation.strategy) not in (Greedy, Sample):
        raise ValueError("generate_batch does greedy search and sampling only")
    logits = generation.state.step(generation.state.prompt)["logits"][:, -1]
    return _Row(number, generation.state.prompt, generation.strategy), generation.state, logits


def _advance(row: _Row, logits: np.ndarray) -> bool:
    """Add a token to a row. -> whether it is finished"""
    tokens, _, scores = row.strategy.choose(row.ids, logits)
    row.ids = np.concatenate([row.ids, tokens[:, None]], axis=1)
    return row.strategy.finished(row.ids, scores)


def _aligned(rows: list[_Row], length: int) -> np.ndarray:
    """The texts, aligned on the right. -> (rows, length); only the last column is looked at"""
    out = np.zeros((len(rows), length), np.int64)
    for i, row in enumerate(rows):
        n = min(row.ids.shape[1], length)
        out[i, length - n :] = row.ids[0, row.ids.shape[1] - n :]
    return out
