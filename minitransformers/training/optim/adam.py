"""Adam (Kingma and Ba, 2014) and AdamW (Loshchilov and Hutter, 2017)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .base import Optimizer, check, in_blocks


class Adam(Optimizer):
    """torch.optim.Adam.

    weight_decay: added to the gradient, as the derivative of an L2 penalty
    amsgrad: divide by the largest second moment so far (Reddi et al., 2018)
    maximize: go up instead of down
    foreach, capturable, differentiable, fused: accepted, they mean nothing here
    """

    decoupled = False  # whether weights decay on their own, beside the gradient's step

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        inf = math.inf
        check(
            learning_rate=(lr, 0.0, inf),
            epsilon_value=(eps, 0.0, inf),
            beta_parameter_at_index_0=(betas[0], 0.0, 1.0),
            beta_parameter_at_index_1=(betas[1], 0.0, 1.0),
            weight_decay_value=(weight_decay, 0.0, inf),
        )
        super().__init__(
            params,
            dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                 maximize=maximize),
        )  # fmt: skip

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        if not state:
            moments = ("exp_avg", "exp_avg_sq", *(["max_exp_avg_sq"] if group["amsgrad"] else []))
            state.update(step=0, **{name: np.zeros_like(param) for name in moments})
        state["step"] += 1
        beta1, beta2 = group["betas"]
        lr, decay = group["lr"], group["weight_decay"]
        step_size = lr / (1.0 - beta1 ** state["step"])
        root = math.sqrt(1.0 - beta2 ** state["step"])
        largest = [state["max_exp_avg_sq"]] if group["amsgrad"] else []

        def update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, *most: Any) -> None:
            a, t = np.empty((2, p.size), p.dtype)
            if group["maximize"]:
                g = np.negative(g, out=a)
            if decay and self.decoupled:
                p *= 1.0 - lr * decay
            elif decay:
                np.multiply(p, decay, out=t)
                g = np.add(g, t, out=a)
            moments_of(g, m, v, beta1, beta2, t)
            if most:
                v = np.maximum(most[0], v, out=most[0])
            np.sqrt(v, out=t)
            t /= root
            t += group["eps"]
            np.divide(m, t, out=t)
            t *= step_size
            p -= t

        in_blocks(update, param, grad, state["exp_avg"], state["exp_avg_sq"], *largest)


class AdamW(Adam):
    """torch.optim.AdamW: weights decay by lr * weight_decay, apart from the gradient."""

    decoupled = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        **options: Any,
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, **options)


def moments_of(
    g: np.ndarray, m: np.ndarray, v: np.ndarray, beta1: float, beta2: float, t: np.ndarray
) -> None:
    """Update the running means m of g and v of its square. t: a temporary"""
    np.subtract(g, m, out=t)
    t *= 1.0 - beta1
    m += t
    np.multiply(g, g, out=t)
    t *= 1.0 - beta2
    v *= beta2
    v += t
