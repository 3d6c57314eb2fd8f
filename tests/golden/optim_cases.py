"""Runs of every optimiser and schedule, whose results tests/golden/optim.npz holds."""

from __future__ import annotations

from typing import Any

import numpy as np

STEPS = 60
SHAPES = {"matrix": (7, 5), "vector": (4,), "cube": (2, 3, 4)}

# name -> (class, options of the first group, of the second one)
OPTIMISERS: dict[str, tuple[str, dict, dict]] = {
    "adamw": ("AdamW", {"lr": 1e-2}, {}),
    "adamw decay groups": ("AdamW", {"lr": 1e-2, "weight_decay": 0.1},
                           {"weight_decay": 0.0, "lr": 3e-2}),
    "adamw amsgrad": ("AdamW", {"lr": 1e-2, "amsgrad": True, "betas": (0.8, 0.99)}, {}),
    "adamw maximize": ("AdamW", {"lr": 1e-3, "maximize": True, "eps": 1e-4}, {}),
    "adam": ("Adam", {"lr": 1e-2}, {}),
    "adam decay": ("Adam", {"lr": 1e-2, "weight_decay": 0.1, "maximize": True}, {}),
    "sgd": ("SGD", {"lr": 0.1}, {}),
    "sgd momentum": ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.2}, {}),
    "sgd nesterov": ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
                     {"lr": 0.01}),
    "sgd maximize": ("SGD", {"lr": 0.1, "maximize": True, "weight_decay": 0.1}, {}),
    "adagrad": ("Adagrad", {"lr": 0.1}, {}),
    "adagrad decay": ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5,
                                  "weight_decay": 0.1, "maximize": True}, {"lr": 0.01}),
    "rmsprop": ("RMSprop", {"lr": 1e-2}, {}),
    "rmsprop centered": ("RMSprop", {"lr": 1e-2, "centered": True, "momentum": 0.8, "alpha": 0.9},
                         {"momentum": 0.0}),
    "rmsprop decay": ("RMSprop", {"lr": 1e-3, "momentum": 0.5, "weight_decay": 0.1,
                                  "maximize": True, "eps": 1e-4}, {}),
    "old adamw": ("OldAdamW", {"lr": 1e-2}, {}),
    "old adamw decay": ("OldAdamW", {"lr": 1e-2, "weight_decay": 0.1, "correct_bias": False}, {}),
    "adafactor": ("Adafactor", {}, {}),
    "adafactor warmup": ("Adafactor", {"warmup_init": True, "weight_decay": 0.1}, {}),
    "adafactor lr": ("Adafactor", {"lr": 1e-2, "relative_step": False,
                                   "scale_parameter": False}, {}),
    "adafactor beta1": ("Adafactor", {"lr": 1e-2, "relative_step": False, "beta1": 0.9,
                                      "clip_threshold": 0.5, "decay_rate": -0.7}, {}),
}  # fmt: skip

# name -> (schedule, its options): rates of steps 0 to STEPS
SCHEDULES: dict[str, tuple[str, dict]] = {
    "constant": ("constant", {}),
    "constant warmup": ("constant_with_warmup", {"num_warmup_steps": 7}),
    "linear": ("linear", {"num_warmup_steps": 7, "num_training_steps": 50}),
    "linear at once": ("linear", {"num_warmup_steps": 0, "num_training_steps": 50}),
    "cosine": ("cosine", {"num_warmup_steps": 7, "num_training_steps": 50}),
    "cosine cycles": ("cosine", {"num_warmup_steps": 7, "num_training_steps": 50,
                                 "scheduler_specific_kwargs": {"num_cycles": 1.7}}),
    "restarts": ("cosine_with_restarts", {"num_warmup_steps": 7, "num_training_steps": 50,
                                          "scheduler_specific_kwargs": {"num_cycles": 3}}),
    "polynomial": ("polynomial", {"num_warmup_steps": 7, "num_training_steps": 50,
                                  "scheduler_specific_kwargs": {"power": 2.0, "lr_end": 1e-5}}),
    "inverse_sqrt": ("inverse_sqrt", {"num_warmup_steps": 7}),
    "inverse_sqrt at once": ("inverse_sqrt", {"num_warmup_steps": 0}),
    "min lr": ("cosine_with_min_lr", {"num_warmup_steps": 7, "num_training_steps": 50,
                                      "scheduler_specific_kwargs": {"min_lr": 1e-4}}),
    "min lr rate": ("cosine_with_min_lr", {"num_warmup_steps": 7, "num_training_steps": 50,
                                           "scheduler_specific_kwargs": {"min_lr_rate": 0.2}}),
    "wsd": ("warmup_stable_decay", {"num_warmup_steps": 7, "scheduler_specific_kwargs": {
        "num_stable_steps": 20, "num_decay_steps": 20, "min_lr_ratio": 0.1}}),
}  # fmt: skip

PLATEAUS: dict[str, dict] = {
    "plateau": {"patience": 3},
    "plateau max": {"mode": "max", "patience": 2, "cooldown": 3, "factor": 0.5},
    "plateau abs": {"threshold_mode": "abs", "threshold": 0.05, "patience": 1, "min_lr": 1e-4},
}


def start() -> dict[str, np.ndarray]:
    """Parameters to begin with."""
    draw = np.random.RandomState(1)
    return {name: draw.standard_normal(s).astype(np.float32) for name, s in SHAPES.items()}


def gradient(name: str, step: int, param: np.ndarray) -> np.ndarray | None:
    """Of a bowl, with noise; the vector has none in every third step."""
    if name == "vector" and step % 3 == 1:
        return None
    draw = np.random.RandomState(step * 7 + len(name))
    return param * np.float32(0.3) + draw.standard_normal(param.shape).astype(np.float32)


def metric(step: int) -> float:
    return float(np.random.RandomState(step).rand() + 1.0 / (1 + step))


def groups(case: tuple[str, dict, dict], params: dict[str, Any]) -> list[dict[str, Any]]:
    """The matrix with the first options, the others with the second."""
    _, first, second = case
    others = [params["vector"], params["cube"]]
    return [{"params": [params["matrix"]]} | first, {"params": others} | first | second]
