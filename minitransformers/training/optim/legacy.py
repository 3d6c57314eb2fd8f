"""The AdamW that transformers had before torch's."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from .adam import moments_of
from .base import Optimizer, check, in_blocks


class AdamW(Optimizer):
    """transformers.AdamW: epsilon is added before the bias correction, weights decay afterwards.

    correct_bias: whether the moments are corrected for having started at zero; BERT's were not
    Warns (FutureWarning) that torch's is preferred, unless no_deprecation_warning.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        correct_bias: bool = True,
        no_deprecation_warning: bool = False,
    ):
        if not no_deprecation_warning:
            warnings.warn(
                "This AdamW is deprecated, as it is where it comes from: use "
                "minitransformers.training.optim.AdamW, which is torch's, or pass "
                "`no_deprecation_warning=True` to silence this warning",
                FutureWarning,
                stacklevel=2,
            )
        check(
            learning_rate=(lr, 0.0, math.inf),
            epsilon_value=(eps, 0.0, math.inf),
            beta_parameter_at_index_0=(betas[0], 0.0, 1.0),
            beta_parameter_at_index_1=(betas[1], 0.0, 1.0),
        )
        super().__init__(
            params,
            dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, correct_bias=correct_bias),
        )

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(param), exp_avg_sq=np.zeros_like(param))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        step_size = group["lr"]
        if group["correct_bias"]:
            step_size *= math.sqrt(1.0 - beta2 ** state["step"]) / (1.0 - beta1 ** state["step"])

        def update(p: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray) -> None:
            t = np.empty_like(p)
            moments_of(g, m, v, beta1, beta2, t)
            np.sqrt(v, out=t)
            t += group["eps"]
            np.divide(m, t, out=t)
            t *= step_size
            p -= t
            if group["weight_decay"] > 0.0:
                p *= 1.0 - group["lr"] * group["weight_decay"]

        in_blocks(update, param, grad, state["exp_avg"], state["exp_avg_sq"])
