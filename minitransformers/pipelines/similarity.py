"""How alike vectors are: the greater the more."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

import numpy as np

from .pooling import unit


class SimilarityFunction(str, enum.Enum):
    """The names of the functions."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot"
    DOT = "dot"
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"


def _batch(x: Any) -> np.ndarray:
    """-> (n, hidden) float32"""
    x = np.asarray(x)
    return np.atleast_2d(x.astype(np.float32) if x.dtype.kind != "f" else x)


def cos_sim(a: Any, b: Any) -> np.ndarray:
    """Cosines of angles. a: (n, hidden) or (hidden,); b: (m, hidden) or (hidden,) -> (n, m)"""
    return unit(_batch(a)) @ unit(_batch(b)).T


def dot_score(a: Any, b: Any) -> np.ndarray:
    """Inner products. Vectors a: (n, hidden); b: (m, hidden) -> (n, m)"""
    return _batch(a) @ _batch(b).T


def euclidean_sim(a: Any, b: Any) -> np.ndarray:
    """Distances, negated. Vectors a: (n, hidden); b: (m, hidden) -> (n, m)"""
    return -_distances(a, b, 2)


def manhattan_sim(a: Any, b: Any) -> np.ndarray:
    """Sums of absolute differences, negated. a: (n, hidden); b: (m, hidden) -> (n, m)"""
    return -_distances(a, b, 1)


def _distances(a: Any, b: Any, order: int) -> np.ndarray:
    b = _batch(b)
    return np.stack([np.linalg.norm(b - row, ord=order, axis=-1) for row in _batch(a)])


def pairwise_cos_sim(a: Any, b: Any) -> np.ndarray:
    """Cosines of the angles of a's and b's rows. a, b: (n, hidden) -> (n,)"""
    return (unit(_batch(a)) * unit(_batch(b))).sum(-1)


def pairwise_dot_score(a: Any, b: Any) -> np.ndarray:
    """Inner products of a's and b's rows. a, b: (n, hidden) -> (n,)"""
    return (_batch(a) * _batch(b)).sum(-1)


def pairwise_euclidean_sim(a: Any, b: Any) -> np.ndarray:
    """Distances of a's and b's rows, negated. a, b: (n, hidden) -> (n,)"""
    return -np.linalg.norm(_batch(a) - _batch(b), axis=-1)


def pairwise_manhattan_sim(a: Any, b: Any) -> np.ndarray:
    """Sums of absolute differences of the rows, negated. a, b: (n, hidden) -> (n,)"""
    return -np.abs(_batch(a) - _batch(b)).sum(-1)


Similarity = Callable[[Any, Any], np.ndarray]
# name -> of every row with every row, of the rows in pairs
SIMILARITIES: dict[str, tuple[Similarity, Similarity]] = {
    "cosine": (cos_sim, pairwise_cos_sim),
    "dot": (dot_score, pairwise_dot_score),
    "euclidean": (euclidean_sim, pairwise_euclidean_sim),
    "manhattan": (manhattan_sim, pairwise_manhattan_sim),
}


def check_similarity(name: Any) -> str:
    """Return the plain name. Raises ValueError if there is no such function."""
    plain = name.value if isinstance(name, SimilarityFunction) else name
    if plain not in SIMILARITIES:
        raise ValueError(f"similarity must be one of {', '.join(SIMILARITIES)}, not {name!r}")
    return plain
