"""Optimisers and schedules, against torch's and the reference's."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minitransformers
from minitransformers import optimization
from minitransformers.core.module import Module
from minitransformers.training import optim
from minitransformers.training.grad import clip_grad_norm_, clip_grad_value_
from minitransformers.training.schedulers import LambdaLR, ReduceLROnPlateau

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from optim_cases import (
    OPTIMISERS,
    PLATEAUS,
    SCHEDULES,
    STEPS,
    gradient,
    groups,
    metric,
    start,
)


@pytest.fixture(scope="module")
def golden() -> Any:
    with np.load(GOLDEN / "optim.npz") as stored:
        return dict(stored)


class Bowl(Module):
    """Three arrays and nothing to compute."""

    def __init__(self) -> None:
        vars(self).update(start())


def make(case: tuple[str, dict, dict], params: dict[str, Any]) -> Any:
    if case[0] == "OldAdamW":
        return optimization.AdamW(groups(case, params), no_deprecation_warning=True)
    return getattr(optim, case[0])(groups(case, params))


def run(optimiser: Any, params: dict[str, Any], steps: range) -> None:
    for step in steps:
        for n, p in params.items():
            p.grad = gradient(n, step, p.data)
        optimiser.step()


@pytest.mark.parametrize("name", OPTIMISERS)
def test_optimisers_go_where_torchs_go(name: str, golden: Any) -> None:
    params = dict(Bowl().named_parameters())
    optimiser = make(OPTIMISERS[name], params)
    done = 0
    for step in (4, STEPS - 1):
        run(optimiser, params, range(done, step + 1))
        done = step + 1
        for n, p in params.items():
            np.testing.assert_allclose(p.data, golden[f"{name}/{n}/{step}"], rtol=2e-5, atol=2e-6)
            assert p.dtype == np.float32


@pytest.mark.parametrize("name", OPTIMISERS)
def test_state_dict_continues_bit_for_bit(name: str) -> None:
    params, others = dict(Bowl().named_parameters()), dict(Bowl().named_parameters())
    one, other = make(OPTIMISERS[name], params), make(OPTIMISERS[name], others)
    run(one, params, range(10))
    for p, q in zip(params.values(), others.values()):
        q.data = p.data.copy()
    other.load_state_dict(one.state_dict())
    run(one, params, range(10, 20))
    run(other, others, range(10, 20))
    for p, q in zip(params.values(), others.values()):
        np.testing.assert_array_equal(p.data, q.data)


def test_where_adagrads_sums_begin() -> None:
    box = Module()
    box.x = np.ones(1, np.float32)
    (p,) = box.parameters()
    optimiser = optim.Adagrad([p], lr=0.1, lr_decay=0.1, initial_accumulator_value=0.5)
    for expected in (0.9057191, 0.8433560):  # torch's
        p.grad = np.full(1, 2, np.float32)
        optimiser.step()
        np.testing.assert_allclose(p.data, expected, rtol=1e-6)


def test_large_arrays_go_by_blocks() -> None:
    """An update in blocks is the update of the whole."""

    def after(shape: tuple) -> np.ndarray:
        draw, box = np.random.RandomState(0), Module()
        box.x = draw.standard_normal(100_003).astype(np.float32).reshape(shape)
        (p,) = box.parameters()
        optimiser = optim.AdamW([p], lr=0.1)
        for _ in range(3):
            p.grad = draw.standard_normal(100_003).astype(np.float32).reshape(shape)
            optimiser.step()
        return p.data.reshape(-1)

    whole = after((1, 100_003))
    np.testing.assert_array_equal(whole, after((100_003,)))
    assert np.abs(whole).max() > 0


def test_files_are_never_written(tmp_path: Path) -> None:
    data = np.arange(6, dtype=np.float32)
    data.flags.writeable = False
    box = Module()
    box.x = data
    (p,) = box.parameters()
    p.grad = np.ones(6, np.float32)
    optim.SGD([p], lr=1.0).step()
    np.testing.assert_array_equal(data, np.arange(6))
    np.testing.assert_array_equal(box.x, np.arange(6) - 1.0)
    assert type(box.x) is np.ndarray


def test_wrong_options_are_named() -> None:
    params = list(Bowl().parameters())
    for options in ({"lr": -1}, {"eps": -1}, {"betas": (1.0, 0.9)}, {"betas": (0.9, -0.1)},
                    {"weight_decay": -1}):  # fmt: skip
        with pytest.raises(ValueError, match="Invalid"):
            optim.AdamW(params, **options)
    with pytest.raises(ValueError, match="empty"):
        optim.AdamW([])
    with pytest.raises(TypeError, match="single Parameter"):
        optim.AdamW(params[0])
    with pytest.raises(TypeError, match=r"model\.parameters"):
        optim.AdamW([np.zeros(3)])
    with pytest.raises(ValueError, match="more than one"):
        optim.AdamW([{"params": params}, {"params": params[:1]}])
    with pytest.raises(ValueError, match="Nesterov"):
        optim.SGD(params, nesterov=True)
    with pytest.raises(ValueError, match="Cannot combine"):
        optim.Adafactor(params, lr=1.0)
    with pytest.raises(ValueError, match="requires"):
        optim.Adafactor(params, lr=1.0, relative_step=False, warmup_init=True)
    small, large = optim.SGD(params[:1]), optim.SGD(params)
    with pytest.raises(ValueError, match="other sizes"):
        small.load_state_dict(large.state_dict())
    with pytest.warns(FutureWarning, match="no_deprecation_warning"):
        minitransformers.optimization.AdamW(params)


def test_groups_closures_and_printing() -> None:
    bowl = Bowl()
    named = list(bowl.named_parameters())
    optimiser = optim.SGD(named[:1], lr=0.5)
    optimiser.add_param_group({"params": [p for _, p in named[1:]], "lr": 0.25})
    bowl.matrix, before = np.ones((7, 5), np.float32), bowl.vector.copy()

    def closure() -> float:
        for _, p in named:
            p.grad = np.ones(p.shape, np.float32)
        return 3.0

    assert optimiser.step(closure) == 3.0
    np.testing.assert_array_equal(bowl.matrix, np.full((7, 5), 0.5))
    np.testing.assert_allclose(bowl.vector, before - 0.25, rtol=1e-6)
    optimiser.zero_grad(set_to_none=False)
    assert not any(p.grad.any() for _, p in named)
    optimiser.zero_grad()
    assert all(p.grad is None for _, p in named)
    assert "Parameter Group 1\n    dampening: 0.0\n    lr: 0.25" in repr(optimiser)


# schedules


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_equal_the_references(name: str, golden: Any) -> None:
    optimiser = optim.SGD(Bowl().parameters(), lr=1e-2)
    kind, options = SCHEDULES[name]
    schedule = minitransformers.optimization.get_scheduler(kind, optimiser, **options)
    rates, other = [], None
    for step in range(STEPS):
        rates.append(optimiser.param_groups[0]["lr"])
        assert schedule.get_last_lr() == [rates[-1]]
        if step == 30:  # a schedule that goes on from another's numbers
            saved = json.loads(json.dumps(schedule.state_dict()))
            other = optim.SGD(Bowl().parameters(), lr=1e-2)
            resumed = minitransformers.optimization.get_scheduler(kind, other, **options)
            resumed.load_state_dict(saved)
        schedule.step()
        if other is not None:
            resumed.step()
            assert resumed.get_last_lr() == schedule.get_last_lr()
            assert other.param_groups[0]["lr"] == optimiser.param_groups[0]["lr"]
    np.testing.assert_allclose(rates, golden[name], rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("name", PLATEAUS)
def test_plateaus_equal_torchs(name: str, golden: Any) -> None:
    optimiser = optim.SGD(Bowl().parameters(), lr=1e-2)
    schedule = ReduceLROnPlateau(optimiser, **PLATEAUS[name])
    rates = []
    for step in range(STEPS):
        schedule.step(metric(step))
        rates.append(optimiser.param_groups[0]["lr"])
    np.testing.assert_allclose(rates, golden[name], rtol=1e-12)
    assert rates[-1] < 1e-2
    json.dumps(schedule.state_dict())


def test_schedule_of_groups_and_a_late_start() -> None:
    a, b, _ = Bowl().parameters()
    optimiser = optim.SGD([{"params": [a], "lr": 1.0}, {"params": [b], "lr": 2.0}])
    schedule = LambdaLR(optimiser, [lambda step: 0.5**step, lambda step: 1.0])
    schedule.step()
    assert schedule.get_last_lr() == [0.5, 2.0]
    late = LambdaLR(optimiser, lambda step: 1.0 / step, last_epoch=3)
    assert late.get_last_lr() == [0.25, 0.5]
    with pytest.raises(KeyError, match="initial_lr"):
        LambdaLR(optim.SGD([a]), lambda step: 1.0, last_epoch=3)
    with pytest.raises(ValueError, match="Expected 2"):
        LambdaLR(optimiser, [lambda step: 1.0])


def test_wrong_schedules_are_named() -> None:
    optimiser = optim.SGD(Bowl().parameters(), lr=1e-2)
    get = minitransformers.optimization.get_scheduler
    with pytest.raises(ValueError, match="requires `num_warmup_steps`"):
        get("linear", optimiser)
    with pytest.raises(ValueError, match="requires `num_training_steps`"):
        get("cosine", optimiser, num_warmup_steps=1)
    with pytest.raises(ValueError, match="not a valid SchedulerType"):
        get("square", optimiser)
    with pytest.raises(ValueError, match="smaller than initial lr"):
        get("polynomial", optimiser, 1, 10, {"lr_end": 1.0})
    for options in ({}, {"min_lr": 0.1, "min_lr_rate": 0.1}):
        with pytest.raises(ValueError, match="min_lr_rate should be set"):
            get("cosine_with_min_lr", optimiser, 1, 10, options)
    with pytest.raises(TypeError):
        get("linear", optimiser, 1, 10, {"cycles": 3})
    with pytest.raises(ValueError, match="Factor"):
        ReduceLROnPlateau(optimiser, factor=1.0)


def test_adafactor_schedule_shows_its_rates() -> None:
    params = list(Bowl().parameters())
    optimiser = optim.Adafactor(params)
    schedule = optimization.AdafactorSchedule(optimiser, 0.3)
    assert schedule.get_last_lr() == [0.3]
    for p in params:
        p.grad = np.ones(p.shape, np.float32)
    scale = math.sqrt(float((params[0].data ** 2).mean()))
    optimiser.step()
    schedule.step()
    assert schedule.get_last_lr() == pytest.approx([1e-2 * scale], rel=1e-5)


# clipping


@pytest.mark.parametrize("order", [1.0, 2.0, 3.0, math.inf])
def test_clipping_limits_the_common_norm(order: float, rng: np.random.Generator) -> None:
    params = list(Bowl().parameters())
    for p in params:
        p.grad = rng.standard_normal(p.shape).astype(np.float32)
    flat = np.concatenate([p.grad.reshape(-1) for p in params])
    norm = clip_grad_norm_(params, 0.5, order)
    assert norm == pytest.approx(np.linalg.norm(flat, order), rel=1e-5)
    clipped = np.concatenate([p.grad.reshape(-1) for p in params])
    np.testing.assert_allclose(clipped, flat * (0.5 / (norm + 1e-6)), rtol=1e-5)
    assert clip_grad_norm_(params, 100.0, order) == pytest.approx(0.5, rel=1e-4)
    np.testing.assert_array_equal(clipped, np.concatenate([p.grad.reshape(-1) for p in params]))


def test_clipping_of_nothing_nan_and_values() -> None:
    params = list(Bowl().parameters())
    assert clip_grad_norm_(params, 1.0) == 0.0
    params[0].grad = np.full((7, 5), np.nan, np.float32)
    with pytest.raises(RuntimeError, match="not finite|nan"):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert np.isnan(clip_grad_norm_(params[0], 1.0))
    params[0].grad = np.arange(35, dtype=np.float32).reshape(7, 5) - 10
    clip_grad_value_(params, 3.0)
    assert params[0].grad.min() == -3.0
    assert params[0].grad.max() == 3.0
