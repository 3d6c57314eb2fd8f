"""Modules, cache, masks, threads and random numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from minitransformers.core import threads
from minitransformers.core.cache import KVCache
from minitransformers.core.layers import Dropout, Embedding, Linear
from minitransformers.core.masks import HIDDEN, Mask
from minitransformers.core.module import Module, is_placeholder, placeholder
from minitransformers.core.primitive import Tensor
from minitransformers.core.random import Generator, set_seed

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "random.npz")


class Pair(Module):
    def __init__(self) -> None:
        self.first = Linear(3, 2)
        self.rest = [Linear(2, 2, bias=False), Dropout(0.5)]


def test_load_names_everything_that_is_wrong_and_changes_nothing() -> None:
    model = Pair()
    weights = {"first.weight": np.zeros((2, 2)), "first.bias": np.zeros(2), "last": np.zeros(1)}
    with pytest.raises(RuntimeError, match="do not fit Pair") as error:
        model.load_state_dict(weights)
    for text in ("missing: rest.0.weight", "unexpected: last", "first.weight is (2, 2)", "(2, 3)"):
        assert text in str(error.value)
    assert all(is_placeholder(p) for p in model.state_dict().values())


def test_loading_copies_in_the_models_precision_under_every_name() -> None:
    model = Pair()
    model.rest.append(Linear(2, 2, bias=False))
    model.load_state_dict({n: np.zeros(v.shape) for n, v in model.state_dict().items()})
    model.rest[2].weight = model.rest[0].weight
    mine = np.ones((2, 2))
    keys = model.load_state_dict({"rest.0.weight": mine, "last": mine}, strict=False)
    assert keys == (["first.weight", "first.bias", "rest.2.weight"], ["last"])
    assert keys.unexpected_keys == ["last"]
    assert model.rest[0].weight.dtype == np.float32
    assert model.rest[2].weight is model.rest[0].weight
    mine[:] = 2.0
    assert model.rest[0].weight[0, 0] == 1.0
    model.load_state_dict({"rest.0.weight": mine}, strict=False, assign=True)
    assert model.rest[0].weight is mine
    assert model.rest[2].weight is not mine


def test_paths_are_names() -> None:
    assert list(Pair().state_dict()) == ["first.weight", "first.bias", "rest.0.weight"]


def test_placeholder_takes_no_memory() -> None:
    assert placeholder(50_000, 50_000).strides == (0, 0)
    assert not is_placeholder(np.zeros((2, 2), np.float32))


def test_train_reaches_every_layer() -> None:
    model = Pair()
    x = np.ones((4, 2), np.float32)
    dropout = model.rest[1]
    assert dropout(x) is x
    set_seed(0)
    assert set(np.unique(model.train().rest[1](x))) <= {0.0, 2.0}
    assert model.eval().rest[1](x) is x


def test_embedding_names_the_id_outside() -> None:
    with pytest.raises(ValueError, match="id 9 is outside the embedding table of 4 rows"):
        Embedding(4, 2)(np.array([[1, 9]]))
    with pytest.raises(ValueError, match="id -1 "):
        Embedding(4, 2)(np.array([[-1]]))


def keys(rng: np.random.Generator, n: int, batch: int = 2) -> np.ndarray:
    return rng.standard_normal((batch, 3, n, 4)).astype(np.float32)


@pytest.mark.parametrize("chunks", [(1, 1, 1), (5, 1, 300), (256, 1), (700,)])
@pytest.mark.parametrize("reserve", [0, 10, 2000])
def test_cache_gives_back_what_was_appended(rng, chunks, reserve) -> None:
    cache, parts = KVCache(reserve), [(keys(rng, n), keys(rng, n)) for n in chunks]
    for k, v in parts:
        got = cache.append(0, k, v)
    for x, wanted in zip(got, zip(*parts)):
        np.testing.assert_array_equal(x, np.concatenate(wanted, axis=2))
    assert cache.length == cache.get_seq_length() == sum(chunks)


def test_a_cache_is_a_value(rng) -> None:
    """Two continuations of one cache see neither each other nor change it."""
    first = KVCache()
    first.append(0, *(k := (keys(rng, 3), keys(rng, 3))))
    one, two = first.fork(), first.fork()
    x, y = (keys(rng, 1), keys(rng, 1)), (keys(rng, 2), keys(rng, 2))
    one.append(0, *x)
    two.append(0, *y)
    np.testing.assert_array_equal(first[0][0], k[0])
    np.testing.assert_array_equal(one[0][1], np.concatenate([k[1], x[1]], axis=2))
    np.testing.assert_array_equal(two[0][1], np.concatenate([k[1], y[1]], axis=2))
    two.crop(3)
    two.append(0, *x)
    np.testing.assert_array_equal(one[0][0], two[0][0])
    np.testing.assert_array_equal(first[0][0], k[0])


@pytest.mark.parametrize("rows", [[1, 0], [0, 0], [1], [0, 0, 1, 1]])
def test_cache_rows_follow_their_origin(rng, rows) -> None:
    k, v = keys(rng, 5), keys(rng, 5)
    for shared in (False, True):
        cache = KVCache()
        cache.append(0, k, v)
        cache.source[0] = (k, v)
        kept = cache.fork() if shared else None
        cache.reorder(np.array(rows))
        np.testing.assert_array_equal(cache[0][0], k[rows])
        np.testing.assert_array_equal(cache[0][3], v[rows])
        if kept is not None:
            np.testing.assert_array_equal(kept[0][0], k)


def test_cache_reads_and_gives_the_old_tuples(rng) -> None:
    layers = [(keys(rng, 3), keys(rng, 3)), (keys(rng, 3), keys(rng, 3))]
    cache = KVCache.from_legacy(layers)
    assert len(cache) == 2
    np.testing.assert_array_equal(cache[1][1], layers[1][1])
    assert len(list(cache)) == 2


@pytest.mark.parametrize("reserve", [0, 5000])
def test_a_window_bounds_the_cache(rng, reserve) -> None:
    """Each query is given what its window holds, long after the rest is forgotten."""
    window, cache, seen = 20, KVCache(reserve), np.zeros((2, 3, 0, 4), np.float32)
    for n in (7, 300, *(1,) * 600, 40, 1):
        new = keys(rng, n)
        seen = np.concatenate([seen, new], axis=2)
        k, v = cache.append(0, new, -new, window)
        np.testing.assert_array_equal(k, seen[:, :, -(window - 1 + n) :])
        np.testing.assert_array_equal(v, -k)
    assert cache.length == seen.shape[2]
    held = cache.layers[0].buffer.k.shape[2]
    assert held <= 1024

    fork = cache.fork()  # draft tokens are taken back, rows change places
    fork.append(0, keys(rng, 5), keys(rng, 5), window)
    fork.crop(cache.length - 2)
    fork.reorder(np.array([1, 0]), start=cache.length - 4)
    new = keys(rng, 1)
    k, _ = fork.append(0, new, new, window)
    moved = np.concatenate([seen[:, :, -window - 1 : -4], seen[[1, 0], :, -4:-2], new], axis=2)
    np.testing.assert_array_equal(k[:, :, -3:], moved[:, :, -3:])
    np.testing.assert_array_equal(cache[0][0][:, :, -window:], seen[:, :, -window:])
    with pytest.raises(ValueError, match="have forgotten"):
        fork.crop(3)


def test_cache_under_differentiation(rng) -> None:
    cache = KVCache()
    cache.append(0, keys(rng, 2), keys(rng, 2))
    k, _ = cache.append(0, Tensor(keys(rng, 1)), Tensor(keys(rng, 1)))
    assert type(k) is Tensor
    assert k.shape == (2, 3, 3, 4)


@pytest.mark.parametrize(("seq", "total"), [(6, 6), (1, 9), (3, 9), (4, 4)])
def test_masks_within_a_window(seq, total) -> None:
    padding = np.arange(total) % 5 != 1
    whole = Mask.of(padding[None], seq, total, causal=True)
    plain, narrow = whole.additive(), whole.within(4).additive()
    behind = np.arange(total - seq, total)[:, None] - np.arange(total)
    wanted = np.where(behind < 4, plain, np.finfo(np.float32).min)
    n = min(total, 4 - 1 + seq)  # the keys a cache gives back
    np.testing.assert_array_equal(np.broadcast_to(narrow, (1, 1, seq, n)), wanted[..., -n:])
    assert whole.within(4) is whole.within(total) or total > 4


def test_masks() -> None:
    assert Mask(1, 5, causal=True).additive() is None
    assert Mask.of(np.ones((2, 5)), 5, 5).additive() is None
    causal = Mask(3, 5, causal=True).additive()
    assert causal.shape == (1, 1, 3, 5)
    np.testing.assert_array_equal(causal[0, 0] == 0, np.tri(3, 5, 2, dtype=bool))
    assert causal.min() == HIDDEN
    window = Mask(4, 4, causal=True, window=2).additive()[0, 0] == 0
    np.testing.assert_array_equal(window, np.tri(4, dtype=bool) & ~np.tri(4, k=-2, dtype=bool))
    padding = np.array([[0, 1, 1], [1, 1, 1]])
    both = Mask.of(padding, 3, 3, causal=True).additive() == 0
    np.testing.assert_array_equal(both[:, 0], np.tri(3, dtype=bool) & padding[:, None].astype(bool))
    holes = np.array([[[1, 0, 1], [0, 1, 0], [1, 1, 1]]])
    np.testing.assert_array_equal(Mask.of(holes, 3, 3).additive()[:, 0] == 0, holes == 1)
    with pytest.raises(ValueError, match=r"shape \(2, 4\).*\(batch, 3\)"):
        Mask.of(np.ones((2, 4)), 3, 3)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "max 100000"}, None),
        ({"cpu.max": "100000 100000"}, 1),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1),
        ({}, None),
    ],
)
def test_threads_respect_the_quota(tmp_path, files, expected) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    free = threads.available_cpus(tmp_path / "nothing")
    assert threads.available_cpus(tmp_path) == (expected or free)


def test_threads_can_be_set() -> None:
    before = threads.get_num_threads()
    try:
        threads.set_num_threads(1)
        assert threads.get_num_threads() == 1
    finally:
        threads.set_num_threads(before)
    with pytest.raises(ValueError, match="positive integer, not 0"):
        threads.set_num_threads(0)


@pytest.mark.parametrize("seed", [0, 42, 2**33 + 7])
def test_random_numbers_are_torchs(seed) -> None:
    draw = Generator(seed)
    weights = GOLDEN["weights"]
    for name, got in {
        "rand": draw.rand(7),
        "one": draw.multinomial(weights),
        "several": draw.multinomial(weights, 3),
        "exponential": draw.exponential(4),
        "bernoulli": draw.bernoulli(weights),
        "keep": draw.keep((3, 5), 0.3),
        "randint": draw.randint(1000, (6,)),
        "randperm": draw.randperm(11),
        "normal few": draw.normal((5,)),
        "normal many": draw.normal((4, 9), mean=1.0, std=2.0),
        "normal few again": draw.normal((2,)),
        "after": draw.rand(3),
    }.items():
        expected = GOLDEN[f"{seed} {name}"]
        if name.startswith("normal"):
            np.testing.assert_allclose(got, expected, rtol=2e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(got, expected, err_msg=name)


def test_a_generator_can_be_put_back() -> None:
    draw = Generator(3)
    draw.normal((3,))
    state = draw.get_state()
    first = draw.normal((4,))
    draw.set_state(state)
    np.testing.assert_array_equal(draw.normal((4,)), first)
