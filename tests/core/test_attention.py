"""Attention in blocks is the plain formula; masks in parts are the mask."""

import sys
import tracemalloc

import numpy as np
import pytest

from minitransformers.core import ops
from minitransformers.core.masks import Mask
from minitransformers.core.ops import attention


@pytest.fixture
def in_small_blocks(monkeypatch):
    module = sys.modules["minitransformers.core.ops.attention"]
    for name, value in (("_LONG", 0), ("_SCORES", 700), ("_QUERIES", 4)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(sys.modules["minitransformers.core.masks"], "_WHOLE", 40)


def _plain(*arrays, **how):
    return attention(*arrays, keep=[], **how)


def _draw(rng, kv_heads, seq, total):
    shapes = ((2, 4, seq, 8), (2, kv_heads, total, 8), (2, kv_heads, total, 6))
    return tuple(rng.standard_normal(shape).astype(np.float32) for shape in shapes)


MASKS = {
    "none": lambda rng, seq, total: None,
    "causal": lambda rng, seq, total: Mask(seq, total, causal=True),
    "window": lambda rng, seq, total: Mask(seq, total, causal=True, window=5),
    "both ways": lambda rng, seq, total: Mask(seq, total, window=7),
    "padding": lambda rng, seq, total: Mask.of(
        np.arange(total) < np.array([[total], [total - 3]]), seq, total
    ),
    "causal, with holes": lambda rng, seq, total: Mask.of(
        (rng.random((2, total)) < 0.7) | (np.arange(total) == 0), seq, total, causal=True
    ),
    "chosen": lambda rng, seq, total: Mask.of(
        (rng.random((2, 4, seq, total)) < 0.6) | (np.arange(total) == 0), seq, total
    ),
    "array": lambda rng, seq, total: rng.standard_normal((2, 1, seq, total)).astype(np.float32),
    "array of keys": lambda rng, seq, total: rng.standard_normal((1, 1, 1, total)),
}


@pytest.mark.parametrize("name", MASKS)
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize(("seq", "total"), [(19, 19), (9, 30), (1, 23)])
def test_blocks_equal_the_formula(in_small_blocks, rng, name, kv_heads, seq, total):
    arrays = _draw(rng, kv_heads, seq, total)
    how = {"scale": 0.3, "mask": MASKS[name](rng, seq, total)}
    if name == "array of keys":
        how["mask"] = how["mask"].astype(np.float32)
    expected = _plain(*arrays, **how)
    np.testing.assert_allclose(attention(*arrays, **how), expected, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("queries", [1, 19])
def test_bias_softcap_and_head_mask(in_small_blocks, rng, rows, queries):
    arrays = _draw(rng, 2, 19, 19)
    bias = rng.standard_normal((rows, 4, queries, 19)).astype(np.float32)
    factors = np.array([0.0, 1.0, 0.5, 2.0], np.float32).reshape(1, 4, 1, 1)
    how = {"scale": 1.0, "softcap": 3.0, "head_mask": factors, "mask": Mask(19, 19, causal=True)}
    expected = _plain(*arrays, bias, **how)
    np.testing.assert_allclose(attention(*arrays, bias, **how), expected, atol=1e-5)


def test_a_query_that_sees_nothing_is_finite(in_small_blocks, rng):
    arrays = _draw(rng, 4, 12, 12)
    mask = Mask.of(np.arange(12) >= np.array([[0], [5]]), 12, 12, causal=True)
    out = attention(*arrays, scale=1.0, mask=mask)
    assert np.isfinite(out).all()
    seen = (slice(None), slice(None), slice(5, None))
    np.testing.assert_allclose(out[seen], _plain(*arrays, scale=1.0, mask=mask)[seen], atol=1e-5)


@pytest.mark.parametrize("name", [name for name in MASKS if not name.startswith(("n", "array"))])
def test_parts_of_a_mask(monkeypatch, rng, name):
    whole = MASKS[name](rng, 10, 17)
    monkeypatch.setitem(Mask.block.__globals__, "_WHOLE", 0)
    parts = MASKS[name](np.random.default_rng(0), 10, 17)
    if name in ("causal, with holes", "chosen"):
        parts = Mask(10, 17, causal=whole.causal, padding=whole.padding, allowed=whole.allowed)
    shown = np.broadcast_to(whole.additive(), (2, 4, 10, 17))
    for start, stop in ((0, 10), (0, 1), (3, 8), (9, 10)):
        first, last, hidden = parts.block(start, stop)
        rows = shown[:, :, start:stop]
        np.testing.assert_array_equal(
            np.broadcast_to(hidden, rows[..., first:last].shape), rows[..., first:last]
        )
        assert (rows[..., :first] < 0).all()
        assert (rows[..., last:] < 0).all()


def test_a_long_sequence_needs_no_square_matrix(rng):
    """8,192 tokens: the scores alone would take 256 MB a head."""
    q, k, v = rng.standard_normal((3, 1, 1, 8192, 16)).astype(np.float32)
    mask = Mask(8192, 8192, causal=True)
    tracemalloc.start()
    try:
        ops.attention(q, k, v, scale=0.25, mask=mask)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()
