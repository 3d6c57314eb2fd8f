"""The optimizer that the arguments of a run ask for."""

from __future__ import annotations

from typing import Any

from .optim import SGD, Adafactor, AdamW
from .optim.legacy import AdamW as LegacyAdamW
from .options import OptimizerNames


def get_optimizer_cls_and_kwargs(args: Any) -> tuple[Any, dict[str, Any]]:
    """-> the optimizer's class, and its keywords without the parameters

    Raises ValueError for an optimizer that does not exist here.
    """
    options = {"lr": args.learning_rate}
    adam = {"betas": (args.adam_beta1, args.adam_beta2), "eps": args.adam_epsilon}
    if args.optim == OptimizerNames.ADAFACTOR:
        return Adafactor, options | {"scale_parameter": False, "relative_step": False}
    if args.optim in (OptimizerNames.ADAMW_TORCH, OptimizerNames.ADAMW_TORCH_FUSED):
        return AdamW, options | adam
    if args.optim == OptimizerNames.ADAMW_HF:
        return LegacyAdamW, options | adam | {"no_deprecation_warning": True}
    if args.optim == OptimizerNames.SGD:
        return SGD, options
    raise ValueError(
        f"optim={args.optim.value!r} does not exist here; there are adamw_torch, adamw_hf, "
        "adafactor and sgd. Another one can be given as Trainer(optimizers=(optimizer, schedule))"
    )


def grouped_parameters(model: Any, decaying: list[str], weight_decay: float) -> list[dict]:
    """The trained parameters in two groups: with weight decay, and without."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    names = set(decaying)
    return [
        {"params": [p for n, p in trained if n in names], "weight_decay": weight_decay},
        {"params": [p for n, p in trained if n not in names], "weight_decay": 0.0},
    ]
