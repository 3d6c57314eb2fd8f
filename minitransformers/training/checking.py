"""What a Trainer refuses before it starts."""

from __future__ import annotations

import inspect
from typing import Any

from ..core.module import Module
from ..core.packed import Int4, Int8
from ..models.auto import class_names
from ..models.modeling import PreTrainedModel
from .callbacks import has_length
from .options import IntervalStrategy

_REFUSED = {
    "fp16": "half precision training: weights and gradients are float32",
    "bf16": "half precision training: weights and gradients are float32",
    "fp16_full_eval": "half precision evaluation",
    "bf16_full_eval": "half precision evaluation",
    "tf32": "the TF32 format, which only GPUs have",
    "deepspeed": "DeepSpeed: there is one process",
    "fsdp": "FSDP: there is one process",
}


def check_arguments(
    args: Any, compute_metrics: Any, train_dataset: Any, eval_dataset: Any, collator: Any
) -> None:
    """Raise ValueError for arguments that ask for what there is not, or that lack something."""
    for name, what in _REFUSED.items():
        if getattr(args, name):
            raise ValueError(
                f"{name}={getattr(args, name)!r} asks for {what}. minitransformers trains with "
                "NumPy on the CPU; leave it out"
            )
    if args.eval_strategy != IntervalStrategy.NO and eval_dataset is None:
        raise ValueError(
            f"args.eval_strategy is {args.eval_strategy.value!r}, but there is no eval_dataset: "
            'pass one to Trainer, or set eval_strategy="no"'
        )
    measures_batches = args.batch_eval_metrics and compute_metrics is not None
    if measures_batches and "compute_result" not in inspect.signature(compute_metrics).parameters:
        raise ValueError(
            "with batch_eval_metrics, compute_metrics is called after every batch and must take a "
            "boolean `compute_result`, true after the last one"
        )
    if collator is not None and not callable(collator):
        raise ValueError(
            "The `data_collator` should be a simple callable (function, class with `__call__`)."
        )
    if train_dataset is not None and not has_length(train_dataset):
        if args.max_steps <= 0:
            raise ValueError(
                "The train_dataset does not implement __len__, max_steps has to be specified. "
                "The number of steps needs to be known in advance for the learning rate scheduler."
            )
        if args.group_by_length:
            raise ValueError("group_by_length needs a train_dataset with a length")


def check_model(model: Any) -> None:
    """Raise ValueError for a model that computes no loss, or whose weights cannot be changed."""
    names = class_names("base").values()
    if isinstance(model, PreTrainedModel) and type(model).__name__ in names and not model.targets:
        raise ValueError(
            f"The model you have picked ({type(model).__name__}) cannot be used as is for training:"
            " it computes hidden states, and no loss. Choose a model with a head for your task, "
            "such as AutoModelForSequenceClassification"
        )
    slots = model.slots() if isinstance(model, Module) else ()
    quantised = any(isinstance(getattr(owner, name), (Int4, Int8)) for _, owner, name in slots)
    if quantised and not getattr(model, "peft_config", None):
        raise ValueError(
            "You cannot perform fine-tuning on purely quantized models: weights of 8 or 4 bits do "
            "not change by small steps. Attach adapters (get_peft_model), or load the model "
            "without quantization"
        )
