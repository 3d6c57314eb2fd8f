"""Schedules of the learning rate, with transformers' names: factors of the optimiser's own rate.

Every one rises linearly from 0 in `num_warmup_steps` steps, if it has a warmup. last_epoch: the
number of steps done already, -1 for a new run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .optim.base import Optimizer
from .options import Word
from .schedulers import AdafactorSchedule, LambdaLR, ReduceLROnPlateau


class SchedulerType(Word):
    """Names of schedules, as `TrainingArguments.lr_scheduler_type` takes them."""

    LINEAR = "linear"
    COSINE = "cosine"
    COSINE_WITH_RESTARTS = "cosine_with_restarts"
    POLYNOMIAL = "polynomial"
    CONSTANT = "constant"
    CONSTANT_WITH_WARMUP = "constant_with_warmup"
    INVERSE_SQRT = "inverse_sqrt"
    REDUCE_ON_PLATEAU = "reduce_lr_on_plateau"
    COSINE_WITH_MIN_LR = "cosine_with_min_lr"
    WARMUP_STABLE_DECAY = "warmup_stable_decay"


def _after_warmup(
    optimizer: Optimizer, warmup: int, factor: Callable[[int], float], last_epoch: int
) -> LambdaLR:
    """factor: steps done, at least `warmup` -> factor of the rate"""

    def lr_lambda(step: int) -> float:
        return float(step) / max(1, warmup) if step < warmup else factor(step)

    return LambdaLR(optimizer, lr_lambda, last_epoch)


def _cosine(progress: float, cycles: float) -> float:
    """From 1 down to 0 at half a cycle."""
    return max(0.0, 0.5 * (1.0 + math.cos(math.pi * 2.0 * cycles * progress)))


def _progress(step: int, start: int, end: int) -> float:
    return (step - start) / max(1, end - start)


def get_constant_schedule(optimizer: Optimizer, last_epoch: int = -1) -> LambdaLR:
    """The rate as it is."""
    return LambdaLR(optimizer, lambda step: 1.0, last_epoch)


def get_constant_schedule_with_warmup(
    optimizer: Optimizer, num_warmup_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """The rate as it is, after the warmup."""
    return _after_warmup(optimizer, num_warmup_steps, lambda step: 1.0, last_epoch)


def get_linear_schedule_with_warmup(
    optimizer: Optimizer, num_warmup_steps: int, num_training_steps: int, last_epoch: int = -1
) -> LambdaLR:
    """Down to 0 along a line."""
    span = max(1, num_training_steps - num_warmup_steps)
    return _after_warmup(
        optimizer,
        num_warmup_steps,
        lambda step: max(0.0, (num_training_steps - step) / span),
        last_epoch,
    )


def get_cosine_schedule_with_warmup(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
) -> LambdaLR:
    """Down to 0 along half a cosine, or `num_cycles` of them."""
    return _after_warmup(
        optimizer,
        num_warmup_steps,
        lambda step: _cosine(_progress(step, num_warmup_steps, num_training_steps), num_cycles),
        last_epoch,
    )


def get_cosine_with_hard_restarts_schedule_with_warmup(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: int = 1,
    last_epoch: int = -1,
) -> LambdaLR:
    """Down to 0 along half a cosine, `num_cycles` times, from the full rate each time."""

    def factor(step: int) -> float:
        progress = _progress(step, num_warmup_steps, num_training_steps)
        return 0.0 if progress >= 1.0 else _cosine((num_cycles * progress) % 1.0, 0.5)

    return _after_warmup(optimizer, num_warmup_steps, factor, last_epoch)


def get_polynomial_decay_schedule_with_warmup(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_training_steps: int,
    lr_end: float = 1e-7,
    power: float = 1.0,
    last_epoch: int = -1,
) -> LambdaLR:
    """Down to `lr_end` along a power of the steps that remain.

    Raises ValueError if lr_end is not below the optimiser's rate.
    """
    lr = optimizer.defaults["lr"]
    if not lr > lr_end:
        raise ValueError(f"lr_end ({lr_end}) must be smaller than initial lr ({lr})")

    def factor(step: int) -> float:
        if step > num_training_steps:
            return lr_end / lr
        remaining = 1 - (step - num_warmup_steps) / (num_training_steps - num_warmup_steps)
        return ((lr - lr_end) * remaining**power + lr_end) / lr

    return _after_warmup(optimizer, num_warmup_steps, factor, last_epoch)


def get_inverse_sqrt_schedule(
    optimizer: Optimizer,
    num_warmup_steps: int,
    timescale: int | None = None,
    last_epoch: int = -1,
) -> LambdaLR:
    """Down as one over the root of the steps; timescale: as many as the warmup by default."""
    scale = timescale if timescale is not None else num_warmup_steps or 10_000
    return _after_warmup(
        optimizer,
        num_warmup_steps,
        lambda step: 1.0 / math.sqrt((step + scale - num_warmup_steps) / scale),
        last_epoch,
    )


def get_cosine_with_min_lr_schedule_with_warmup(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_training_steps: int,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> LambdaLR:
    """Down to `min_lr`, or `min_lr_rate` of the rate, along half a cosine.

    Raises ValueError unless exactly one of them is given.
    """
    if min_lr is not None and min_lr_rate is not None:
        raise ValueError("Only one of min_lr or min_lr_rate should be set")
    if min_lr is not None:
        min_lr_rate = min_lr / optimizer.defaults["lr"]
    if min_lr_rate is None:
        raise ValueError(
            "One of min_lr or min_lr_rate should be set through the `lr_scheduler_kwargs`"
        )
    least = min_lr_rate

    def factor(step: int) -> float:
        wave = _cosine(_progress(step, num_warmup_steps, num_training_steps), num_cycles)
        return max(0.0, wave * (1.0 - least) + least)

    return _after_warmup(optimizer, num_warmup_steps, factor, last_epoch)


def get_wsd_schedule(
    optimizer: Optimizer,
    num_warmup_steps: int,
    num_stable_steps: int,
    num_decay_steps: int,
    min_lr_ratio: float = 0,
    num_cycles: float = 0.5,
    last_epoch: int = -1,
) -> LambdaLR:
    """The full rate for a while, then down to `min_lr_ratio` of it along half a cosine."""
    start = num_warmup_steps + num_stable_steps
    end = start + num_decay_steps

    def factor(step: int) -> float:
        if step < start:
            return 1.0
        if step < end:
            wave = _cosine(_progress(step, start, end), num_cycles)
            return (1.0 - min_lr_ratio) * wave + min_lr_ratio
        return min_lr_ratio

    return _after_warmup(optimizer, num_warmup_steps, factor, last_epoch)


def get_reduce_on_plateau_schedule(optimizer: Optimizer, **kwargs: Any) -> ReduceLROnPlateau:
    """The rate as it is, reduced whenever a metric stops improving; see `ReduceLROnPlateau`."""
    return ReduceLROnPlateau(optimizer, **kwargs)


def get_adafactor_schedule(optimizer: Any, initial_lr: float = 0.0) -> AdafactorSchedule:
    """What Adafactor chooses; see `AdafactorSchedule`."""
    return AdafactorSchedule(optimizer, initial_lr)


# name -> (the schedule, the names of the numbers of steps it needs, whether it takes options)
_SCHEDULES: dict[str, tuple[Callable[..., Any], tuple[str, ...], bool]] = {
    "linear": (get_linear_schedule_with_warmup, ("warmup", "training"), True),
    "cosine": (get_cosine_schedule_with_warmup, ("warmup", "training"), True),
    "cosine_with_restarts": (
        get_cosine_with_hard_restarts_schedule_with_warmup, ("warmup", "training"), True),
    "polynomial": (get_polynomial_decay_schedule_with_warmup, ("warmup", "training"), True),
    "constant": (get_constant_schedule, (), False),
    "constant_with_warmup": (get_constant_schedule_with_warmup, ("warmup",), False),
    "inverse_sqrt": (get_inverse_sqrt_schedule, ("warmup",), False),
    "reduce_lr_on_plateau": (get_reduce_on_plateau_schedule, (), True),
    "cosine_with_min_lr": (
        get_cosine_with_min_lr_schedule_with_warmup, ("warmup", "training"), True),
    "warmup_stable_decay": (get_wsd_schedule, ("warmup",), True),
}  # fmt: skip


def get_scheduler(
    name: str | SchedulerType,
    optimizer: Optimizer,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    scheduler_specific_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Any schedule by its name.

    scheduler_specific_kwargs: further options of that schedule
    Raises ValueError for an unknown name or a number of steps that is missing.
    """
    name = SchedulerType(name)
    schedule, needs, takes_options = _SCHEDULES[name.value]
    given = {"warmup": num_warmup_steps, "training": num_training_steps}
    steps = {f"num_{need}_steps": given[need] for need in needs}
    for argument, value in steps.items():
        if value is None:
            raise ValueError(f"{name} requires `{argument}`, please provide that argument.")
    return schedule(
        optimizer, **steps, **((scheduler_specific_kwargs or {}) if takes_options else {})
    )
