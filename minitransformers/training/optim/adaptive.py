"""Rates divided by the size of past gradients: Adagrad and RMSprop."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .base import Optimizer, check, in_blocks, penalised


class Adagrad(Optimizer):
    """torch.optim.Adagrad (Duchi et al., 2011): by the root of the sum of squared gradients.

    lr_decay: how fast the rate falls with the steps; initial_accumulator_value: where sums begin
    weight_decay: added to the gradient, as the derivative of an L2 penalty
    maximize: go up instead of down
    foreach, differentiable, fused: accepted, they mean nothing here
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        check(
            learning_rate=(lr, 0.0, math.inf),
            lr_decay_value=(lr_decay, 0.0, math.inf),
            weight_decay_value=(weight_decay, 0.0, math.inf),
            initial_accumulator_value=(initial_accumulator_value, 0.0, math.inf),
            epsilon_value=(eps, 0.0, math.inf),
        )
        super().__init__(
            params,
            dict(lr=lr, lr_decay=lr_decay, eps=eps, weight_decay=weight_decay,
                 initial_accumulator_value=initial_accumulator_value, maximize=maximize),
        )  # fmt: skip

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        if not state:  # as torch, which does not ask the group
            start = self.defaults["initial_accumulator_value"]
            state.update(step=0, sum=np.full_like(param, start))
        rate = group["lr"] / (1.0 + state["step"] * group["lr_decay"])
        state["step"] += 1

        def update(p: np.ndarray, g: np.ndarray, total: np.ndarray) -> None:
            a, t = np.empty((2, p.size), p.dtype)
            g = penalised(p, g, group, a, t)
            total += np.multiply(g, g, out=t)
            np.sqrt(total, out=t)
            t += group["eps"]
            np.divide(g, t, out=t)
            p -= np.multiply(t, rate, out=t)

        in_blocks(update, param, grad, state["sum"])


class RMSprop(Optimizer):
    """torch.optim.RMSprop (Hinton, 2012): by the root of a running mean of squared gradients.

    alpha: how much of the mean is kept; centered: divide by the deviation instead
    momentum: how much of the last direction is kept
    weight_decay: added to the gradient, as the derivative of an L2 penalty
    maximize: go up instead of down
    capturable, foreach, differentiable: accepted, they mean nothing here
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        check(
            learning_rate=(lr, 0.0, math.inf),
            epsilon_value=(eps, 0.0, math.inf),
            momentum_value=(momentum, 0.0, math.inf),
            weight_decay_value=(weight_decay, 0.0, math.inf),
            alpha_value=(alpha, 0.0, math.inf),
        )
        super().__init__(
            params,
            dict(lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                 centered=centered, maximize=maximize),
        )  # fmt: skip

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        alpha, momentum, centered = group["alpha"], group["momentum"], group["centered"]
        kept = ["square_avg", *["grad_avg"] * centered, *["momentum_buffer"] * (momentum > 0)]
        if not state:
            state.update(step=0, **{name: np.zeros_like(param) for name in kept})
        state["step"] += 1

        def update(p: np.ndarray, g: np.ndarray, *arrays: np.ndarray) -> None:
            held = dict(zip(kept, arrays))
            a, t = np.empty((2, p.size), p.dtype)
            g = penalised(p, g, group, a, t)
            square = held["square_avg"]
            square *= alpha
            np.multiply(g, g, out=t)
            square += np.multiply(t, 1.0 - alpha, out=t)
            if centered:
                mean = held["grad_avg"]
                np.subtract(g, mean, out=t)
                mean += np.multiply(t, 1.0 - alpha, out=t)
                np.multiply(mean, mean, out=t)
                np.sqrt(np.subtract(square, t, out=t), out=t)
            else:
                np.sqrt(square, out=t)
            t += group["eps"]
            direction = np.divide(g, t, out=t)
            if momentum > 0:
                held["momentum_buffer"] *= momentum
                held["momentum_buffer"] += direction
                direction = held["momentum_buffer"]
            p -= np.multiply(direction, group["lr"], out=t)

        in_blocks(update, param, grad, *(state[name] for name in kept))
