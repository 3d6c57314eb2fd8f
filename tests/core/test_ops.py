"""Every primitive: its derivative against central differences, its dtype, its inputs untouched."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from minitransformers.core import ops
from minitransformers.core.primitive import Tensor, backward

R = np.random.default_rng(1)


def normal(*shape: int) -> np.ndarray:
    return R.standard_normal(shape)


ANGLES = normal(2, 1, 5, 2)
LABELS = np.array([1, -100, 0, 3])

# name -> (op, differentiable arguments, static arguments)
CASES: dict[str, tuple[Any, tuple, dict]] = {
    "add": (ops.add, (normal(2, 3, 4), normal(3, 1)), {}),
    "add a scalar": (ops.add, (normal(2, 3), 2.0), {}),
    "mul": (ops.mul, (normal(2, 3, 4), normal(1, 4)), {}),
    "linear": (ops.linear, (normal(2, 3, 4), normal(5, 4), normal(5)), {}),
    "linear without bias": (ops.linear, (normal(3, 4), normal(5, 4)), {}),
    "conv1d": (ops.conv1d, (normal(2, 3, 4), normal(4, 5), normal(5)), {}),
    "embedding": (ops.embedding, (normal(6, 3),), {"ids": np.array([[1, 1], [5, 0]])}),
    "layer_norm": (ops.layer_norm, (normal(2, 3, 8), normal(8), normal(8)), {"eps": 1e-5}),
    "layer_norm without bias": (ops.layer_norm, (normal(3, 8), normal(8), None), {"eps": 1e-5}),
    "rms_norm": (ops.rms_norm, (normal(2, 3, 8), normal(8)), {"eps": 1e-6}),
    "gelu": (ops.gelu, (normal(3, 7),), {}),
    "gelu_new": (ops.gelu_new, (normal(3, 7),), {}),
    "quick_gelu": (ops.quick_gelu, (normal(3, 7),), {}),
    "relu": (ops.relu, (normal(3, 7),), {}),
    "silu": (ops.silu, (normal(3, 7),), {}),
    "sigmoid": (ops.sigmoid, (normal(3, 7),), {}),
    "tanh": (ops.tanh, (normal(3, 7),), {}),
    "identity": (ops.ACTIVATIONS["linear"], (normal(3, 7),), {}),
    "attention": (
        ops.attention,
        (normal(2, 4, 3, 2), normal(2, 4, 5, 2), normal(2, 4, 5, 2)),
        {"scale": 0.7},
    ),
    "attention with grouped heads, mask, bias, dropout": (
        ops.attention,
        (normal(2, 4, 3, 2), normal(2, 2, 5, 2), normal(2, 2, 5, 2), normal(1, 4, 3, 5)),
        {
            "scale": 0.7,
            "mask": np.where(R.random((2, 1, 3, 5)) < 0.3, -1e9, 0.0),
            "drop": (R.random((2, 4, 3, 5)) < 0.8) / 0.8,
            "head_mask": R.random((1, 4, 1, 1)),
        },
    ),
    "attention with capped scores, bias by key": (
        ops.attention,
        (normal(2, 4, 3, 2), normal(2, 2, 5, 2), normal(2, 2, 5, 2), normal(2, 4, 1, 5)),
        {"scale": 0.7, "softcap": 0.9},
    ),
    "clip": (ops.clip, (normal(3, 7),), {"limit": 0.8}),
    "softmax": (ops.softmax, (normal(3, 7),), {}),
    "rotary": (ops.rotary, (normal(2, 3, 5, 6),), {"cos": np.cos(ANGLES), "sin": np.sin(ANGLES)}),
    "rotary interleaved": (
        ops.rotary,
        (normal(2, 3, 5, 4),),
        {"cos": np.cos(ANGLES), "sin": np.sin(ANGLES), "interleaved": True},
    ),
    "dropout": (ops.dropout, (normal(3, 4),), {"keep": (R.random((3, 4)) < 0.5) * 2.0}),
    "mean": (ops.mean, (normal(2, 3, 4),), {"axis": 1}),
    "reshape": (ops.reshape, (normal(2, 6),), {"shape": (3, 4)}),
    "transpose": (ops.transpose, (normal(2, 3, 4),), {"axes": (2, 0, 1)}),
    "split_heads": (ops.split_heads, (normal(2, 3, 8),), {"heads": 4}),
    "merge_heads": (ops.merge_heads, (normal(2, 4, 3, 2),), {}),
    "split": (lambda x, **k: ops.split(x, **k)[1], (normal(2, 3, 9),), {"sizes": (2, 3, 4)}),
    "concatenate": (ops.concatenate, (normal(2, 3), normal(2, 5)), {"axis": 1}),
    "getitem by slices": (ops.getitem, (normal(4, 5),), {"index": (slice(1, 3), slice(None, -1))}),
    "getitem by arrays": (ops.getitem, (normal(4, 5),), {"index": (np.array([0, 2, 2]), 1)}),
    "cross_entropy": (ops.cross_entropy, (normal(4, 5),), {"labels": LABELS}),
    "cross_entropy smoothed": (
        ops.cross_entropy,
        (normal(4, 5),),
        {"labels": LABELS, "smoothing": 0.2},
    ),
    "mse": (ops.mse, (normal(4, 5),), {"target": normal(4, 5)}),
    "bce_with_logits": (ops.bce_with_logits, (normal(4, 5),), {"target": R.random((4, 5))}),
}


@pytest.mark.parametrize("name", CASES)
def test_derivative_equals_central_differences(name: str) -> None:
    op, inputs, static = CASES[name]
    leaves = [Tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
    out = op(*leaves, **static)
    seed = np.random.default_rng(2).standard_normal(out.shape)
    grads = backward(out, seed)
    for i, leaf in enumerate(leaves):
        if type(leaf) is not Tensor:
            continue
        direction = np.random.default_rng(3 + i).standard_normal(leaf.shape)
        step = 1e-4
        ahead, behind = (
            op(*(x + s * step * direction if j == i else x for j, x in enumerate(inputs)), **static)
            for s in (1, -1)
        )
        expected = (seed * (ahead - behind)).sum() / (2 * step)
        got = (grads[id(leaf)] * direction).sum()
        assert grads[id(leaf)].shape == leaf.shape
        assert got == pytest.approx(expected, rel=1e-4, abs=2e-4)


def to_float32(x: Any) -> Any:
    return x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype == np.float64 else x


@pytest.mark.parametrize("name", CASES)
def test_float32_in_float32_out_and_inputs_untouched(name: str) -> None:
    op, inputs, static = CASES[name]
    inputs = tuple(to_float32(x) for x in inputs)
    static = {key: to_float32(x) for key, x in static.items()}
    copies = [x.copy() if isinstance(x, np.ndarray) else x for x in inputs]
    assert op(*inputs, **static).dtype == np.float32
    leaves = [Tensor(x) if isinstance(x, np.ndarray) else x for x in inputs]
    out = op(*leaves, **static)
    assert out.dtype == np.float32
    assert all(g.dtype == np.float32 for g in backward(out).values())
    for before, after in zip(copies, inputs):
        np.testing.assert_array_equal(before, after)


def test_gelu_is_exact() -> None:
    x = np.linspace(-8, 8, 100_001, dtype=np.float32)
    exact = np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()])
    assert np.abs(ops.gelu(x) - exact).max() < 1e-6


def test_blocks_join_seamlessly() -> None:
    x = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    for op in (ops.gelu, ops.gelu_new, ops.silu):
        np.testing.assert_array_equal(op(x)[40_000:40_010], op(x[40_000:40_010]))


def test_one_value_used_twice_gets_both_gradients() -> None:
    x = Tensor(np.array([1.0, 2.0, 3.0]))
    parts = ops.split(x, sizes=(1, 2))
    y = ops.mul(x, x) + x
    total = ops.concatenate(y, parts[0], parts[1], axis=0)
    np.testing.assert_allclose(backward(total)[id(x)], 2 * x.value + 2)


def test_numpy_refuses_a_traced_value() -> None:
    x = Tensor(np.ones(3, np.float32))
    for lose in (np.exp, np.sum, np.asarray, lambda t: np.concatenate([t, t])):
        with pytest.raises(TypeError):
            lose(x)


def test_fully_masked_query_attends_evenly() -> None:
    q, k, v = (normal(1, 1, 2, 4).astype(np.float32) for _ in range(3))
    keep: list = []
    mask = np.full((1, 1, 2, 2), np.finfo(np.float32).min, np.float32)
    ops.attention(q, k, v, scale=0.5, mask=mask, keep=keep)
    np.testing.assert_allclose(keep[0], 0.5)


def test_cross_entropy_of_only_ignored_labels_is_nan() -> None:
    assert np.isnan(ops.cross_entropy(np.zeros((2, 3), np.float32), labels=np.array([-100, -100])))


def test_wrong_label_is_named() -> None:
    with pytest.raises(ValueError, match="label 7 is outside the model's 3 classes"):
        ops.cross_entropy(np.zeros((2, 3), np.float32), labels=np.array([0, 7]))


def test_unknown_activation_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"unknown activation function 'gulu'.*gelu_new"):
        ops.activation("gulu")
