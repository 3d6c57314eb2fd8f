"""Matrices in fewer bits: exact where they should be, close where they may be."""

import pickle

import numpy as np
import pytest

from minitransformers.core import ops
from minitransformers.core.packed import BFloat16, Float16, Int4, Int8
from minitransformers.core.primitive import Tensor, backward


def _packed(kind, matrix):
    if kind is BFloat16:
        return BFloat16((matrix.view(np.uint32) >> 16).astype(np.uint16))
    return Float16(matrix.astype(np.float16)) if kind is Float16 else kind.of(matrix)


@pytest.fixture(params=[BFloat16, Float16, Int8, Int4])
def kind(request):
    return request.param


@pytest.fixture
def matrix(rng):
    return (rng.standard_normal((300, 256)) * 0.02).astype(np.float32)


@pytest.mark.parametrize(
    "size", [(3, 32), (600, 512), (3000, 512)]
)  # one is kept whole, the last shared out
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_products_are_those_of_the_expanded_matrix(kind, size, rows, rng):
    packed = _packed(kind, (rng.standard_normal(size) * 0.02).astype(np.float32))
    whole = np.asarray(packed)
    x, y = (rng.standard_normal((rows, n)).astype(np.float32) for n in size)
    for given, product, weight in ((y, y @ packed.T, whole.T), (x, x @ packed, whole)):
        assert product.dtype == np.float32
        np.testing.assert_allclose(product, given @ weight, atol=1e-4)


@pytest.mark.parametrize("size", [(30, 64), (600, 512)])
def test_products_with_other_numbers_with_views_and_with_nothing(kind, size, rng):
    packed = _packed(kind, (rng.standard_normal(size) * 0.02).astype(np.float32))
    whole = np.asarray(packed)
    rows = rng.standard_normal((6, size[1])).astype(np.float32)
    some = (rows[:1].astype(np.float64), np.ones((2, size[1]), np.int64), rows[::3, ::-1], rows[:0])
    for x in some:
        out = ops.linear(x, packed)
        assert (out.dtype, out.shape) == (np.float32, (len(x), size[0]))
        np.testing.assert_allclose(out, x @ whole.T, atol=1e-4)
        back = ops.conv1d(np.ascontiguousarray(out), packed)
        np.testing.assert_allclose(back, out @ whole, atol=1e-4)


def test_layers_take_it_as_a_weight(kind, matrix, rng):
    packed, whole = _packed(kind, matrix), np.asarray(_packed(kind, matrix))
    x, bias = rng.standard_normal((2, 3, 256)).astype(np.float32), np.ones(300, np.float32)
    ids = np.array([[0, 299], [7, 7]])
    np.testing.assert_allclose(ops.linear(x, packed, bias), ops.linear(x, whole, bias), atol=1e-5)
    np.testing.assert_allclose(
        ops.conv1d(x, packed.T, bias), ops.conv1d(x, whole.T, bias), atol=1e-5
    )
    np.testing.assert_array_equal(ops.embedding(packed, ids=ids), whole[ids])


def test_rows(kind, matrix):
    packed, whole = _packed(kind, matrix), np.asarray(_packed(kind, matrix))
    for index in (slice(3, 9), 5, -1, np.array([1, 1]), (slice(None), 3)):
        np.testing.assert_array_equal(packed[index], whole[index])
    np.testing.assert_array_equal(packed.T[2:5], whole.T[2:5])
    with pytest.raises(IndexError):
        packed[300]


def test_a_gradient_passes_through(kind, matrix, rng):
    packed = _packed(kind, matrix)
    x = Tensor(rng.standard_normal((2, 256)).astype(np.float32))
    out = ops.linear(x, packed)
    g = rng.standard_normal((2, 300)).astype(np.float32)
    grads = backward(out, g)
    np.testing.assert_allclose(grads[id(x)], g @ np.asarray(packed), atol=1e-4)


def test_facts(kind, matrix):
    packed = _packed(kind, matrix)
    assert (packed.shape, packed.T.shape) == ((300, 256), (256, 300))
    assert (packed.size, len(packed.T)) == (matrix.size, 256)
    assert packed.nbytes < 0.55 * matrix.nbytes
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(packed)), np.asarray(packed))
    np.testing.assert_array_equal(np.exp(packed), np.exp(np.asarray(packed)))
    np.testing.assert_array_equal(packed - 1, np.asarray(packed) - 1)
    assert packed.mean() == np.asarray(packed).mean()
    assert not hasattr(packed, "no_such_attribute")


def test_every_float16_is_expanded_exactly():
    bits = np.arange(65536, dtype=np.uint16).view(np.float16).reshape(256, 256)
    ours, theirs = np.asarray(Float16(bits)), bits.astype(np.float32)
    finite = np.isfinite(theirs)
    np.testing.assert_array_equal(ours[finite], theirs[finite])
    assert np.isinf(ours[~finite]).all()


def test_errors_of_rounding(matrix):
    """In units of the weights' deviation, for normally distributed ones."""
    spread = matrix.std()
    for packed, most in ((Int8.of(matrix), 0.008), (Int4.of(matrix), 0.085)):
        assert (np.asarray(packed) - matrix).std() < most * spread


def test_degenerate_rows_are_kept():
    for value in (0.0, 3.5, -1e-20):
        matrix = np.full((2, 64), value, np.float32)
        for kind in (Int8, Int4):
            np.testing.assert_allclose(np.asarray(kind.of(matrix)), matrix, atol=1e-6, rtol=0.01)


def test_the_groups_of_a_width():
    assert [Int4.group_of(n) for n in (768, 576, 96, 40)] == [32, 32, 16, None]
    with pytest.raises(ValueError, match="groups of 16"):
        Int4.of(np.zeros((2, 40), np.float32))
