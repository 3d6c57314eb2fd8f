"""Stochastic gradient descent."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .base import Optimizer, check, in_blocks, penalised


class SGD(Optimizer):
    """torch.optim.SGD.

    momentum: how much of the last direction is kept; dampening: how much of the gradient is not
    weight_decay: added to the gradient, as the derivative of an L2 penalty
    nesterov: look ahead along the momentum (Sutskever et al., 2013)
    maximize: go up instead of down
    foreach, differentiable, fused: accepted, they mean nothing here
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        check(
            learning_rate=(lr, 0.0, math.inf),
            momentum_value=(momentum, 0.0, math.inf),
            weight_decay_value=(weight_decay, 0.0, math.inf),
        )
        if nesterov and (momentum <= 0.0 or dampening != 0.0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        super().__init__(
            params,
            dict(lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                 nesterov=nesterov, maximize=maximize),
        )  # fmt: skip

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        momentum = group["momentum"]
        first = momentum != 0.0 and not state
        if first:
            state["momentum_buffer"] = np.zeros_like(param)
        kept = 1.0 if first else 1.0 - group["dampening"]
        held = [state["momentum_buffer"]] if momentum else []

        def update(p: np.ndarray, g: np.ndarray, *buffer: np.ndarray) -> None:
            a, t = np.empty((2, p.size), p.dtype)
            g = penalised(p, g, group, a, t)
            if momentum:
                direction = buffer[0]
                direction *= momentum
                direction += np.multiply(g, kept, out=t)
                if group["nesterov"]:
                    g = np.add(g, np.multiply(direction, momentum, out=t), out=a)
                else:
                    g = direction
            p -= np.multiply(g, group["lr"], out=t)

        in_blocks(update, param, grad, *held)
