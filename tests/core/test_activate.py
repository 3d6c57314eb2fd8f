"""`activate` writes over a large array that is not needed any more, and gives the same."""

from __future__ import annotations

import numpy as np
import pytest

from minitransformers.core import ops
from minitransformers.core.primitive import Tensor


@pytest.mark.parametrize("name", [n for n in ops.ACTIVATIONS if n != "linear"])
@pytest.mark.parametrize("shape", [(3, 5), (300, 501), (2, 1, 262145)])
def test_the_values_are_those_of_the_activation(name: str, shape: tuple, rng) -> None:
    x = rng.standard_normal(shape, dtype=np.float32) * 4
    function = ops.activation(name)
    expected = function(x.copy())
    np.testing.assert_array_equal(ops.activate(function, x.copy()), expected)


@pytest.mark.parametrize("name", ["silu", "gelu", "linear"])
@pytest.mark.parametrize("shape", [(3, 5), (300, 501)])
def test_a_gated_linear_unit(name: str, shape: tuple, rng) -> None:
    x, times = rng.standard_normal((2, *shape), dtype=np.float32)
    function = ops.activation(name)
    expected = function(x.copy()) * times
    np.testing.assert_array_equal(ops.activate(function, x.copy(), times=times), expected)
    recorded = ops.activate(function, Tensor(x), times=Tensor(times))
    np.testing.assert_array_equal(recorded.value, expected)


def test_what_is_recorded_is_left_as_it_was(rng) -> None:
    x = rng.standard_normal((300, 501), dtype=np.float32)
    before = x.copy()
    ops.activate(ops.gelu, Tensor(x))
    np.testing.assert_array_equal(x, before)


def test_a_large_array_is_written_over(rng) -> None:
    x = rng.standard_normal((300, 501), dtype=np.float32)
    assert np.shares_memory(ops.activate(ops.gelu, x), x)


def test_a_function_of_the_user_is_called(rng) -> None:
    x = rng.standard_normal((3, 5), dtype=np.float32)
    np.testing.assert_array_equal(ops.activate(lambda x: x + 1, x), x + 1)
