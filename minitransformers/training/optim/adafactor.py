"""Adafactor (Shazeer and Stern, 2018), in fairseq's form that transformers has."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from .base import Optimizer


class Adafactor(Optimizer):
    """transformers.Adafactor: second moments by row and column only.

    lr: None with relative_step
    eps: what is added to squared gradients, and the least scale of a parameter
    clip_threshold: the largest root mean square of an update
    decay_rate: power of the step by which old second moments fade
    beta1: of the running mean of updates, None for none
    scale_parameter: whether steps grow with the parameter's root mean square
    relative_step: whether the step size follows from the number of steps; warmup_init: slowly first
    Raises ValueError for options that exclude each other.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | None = None,
        eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float = 1.0,
        decay_rate: float = -0.8,
        beta1: float | None = None,
        weight_decay: float = 0.0,
        scale_parameter: bool = True,
        relative_step: bool = True,
        warmup_init: bool = False,
    ):
        if lr is not None and relative_step:
            raise ValueError("Cannot combine manual `lr` and `relative_step=True` options")
        if warmup_init and not relative_step:
            raise ValueError("`warmup_init=True` requires `relative_step=True`")
        if lr is None and not relative_step:
            raise ValueError("`relative_step=False` requires a `lr`")
        super().__init__(
            params,
            dict(lr=lr, eps=eps, clip_threshold=clip_threshold, decay_rate=decay_rate, beta1=beta1,
                 weight_decay=weight_decay, scale_parameter=scale_parameter,
                 relative_step=relative_step, warmup_init=warmup_init),
        )  # fmt: skip

    @staticmethod
    def step_size(group: dict[str, Any], state: dict[str, Any]) -> float:
        """The learning rate in force for a parameter with this state."""
        size = group["lr"]
        if group["relative_step"]:
            least = 1e-6 * state["step"] if group["warmup_init"] else 1e-2
            size = min(least, 1.0 / math.sqrt(state["step"]))
        return size * (max(group["eps"][1], state["RMS"]) if group["scale_parameter"] else 1.0)

    def update(
        self, param: np.ndarray, grad: np.ndarray, state: dict[str, Any], group: dict[str, Any]
    ) -> None:
        factored = param.ndim >= 2
        if not state:
            state["step"] = 0
            if group["beta1"] is not None:
                state["exp_avg"] = np.zeros_like(param)
            if factored:
                shape = param.shape
                state["exp_avg_sq_row"] = np.zeros(shape[:-1], param.dtype)
                state["exp_avg_sq_col"] = np.zeros(shape[:-2] + shape[-1:], param.dtype)
            else:
                state["exp_avg_sq"] = np.zeros_like(param)
        state["step"] += 1
        state["RMS"] = _rms(param)
        lr = self.step_size(group, state)

        fade = 1.0 - state["step"] ** group["decay_rate"]
        squared = grad * grad
        squared += group["eps"][0]
        if factored:
            row, col = state["exp_avg_sq_row"], state["exp_avg_sq_col"]
            _fade(row, squared.mean(-1), fade)
            _fade(col, squared.mean(-2), fade)
            change = squared  # its memory
            np.multiply(
                (1.0 / np.sqrt(row / row.mean(-1, keepdims=True)))[..., None],
                (1.0 / np.sqrt(col))[..., None, :],
                out=change,
            )
            change *= grad
        else:
            _fade(state["exp_avg_sq"], squared, fade)
            change = grad / np.sqrt(state["exp_avg_sq"])
        change *= lr / max(1.0, _rms(change) / group["clip_threshold"])
        if group["beta1"] is not None:
            _fade(state["exp_avg"], change, group["beta1"])
            change = state["exp_avg"]
        if group["weight_decay"]:
            param *= 1.0 - group["weight_decay"] * lr
        param -= change


def _fade(mean: np.ndarray, x: np.ndarray, kept: float) -> None:
    """Move a running mean towards x, in place."""
    mean *= kept
    mean += x * (1.0 - kept)


def _rms(x: np.ndarray) -> float:
    flat = x.reshape(-1)
    return math.sqrt(float(np.dot(flat, flat)) / x.size)
