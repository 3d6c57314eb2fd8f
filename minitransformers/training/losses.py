"""Losses of models, divided by the number of targets of a whole update."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from ..models.modeling import PreTrainedModel

# The architectures whose causal language models take `num_items_in_batch` in transformers 4.46, or
# have done so from their first release on.
_DIVIDING = {
    *("gemma", "gemma2", "gemma3_text", "llama", "mixtral", "olmo2", "phi", "phi3", "qwen2"),
    *("qwen3", "smollm3"),
}


def accepts_num_items(model: Any) -> bool:
    """Whether the model's loss may be divided by the targets of several batches."""
    if hasattr(model, "get_base_model"):
        model = model.get_base_model()
    if isinstance(model, PreTrainedModel):
        causal = type(model).__name__.endswith("ForCausalLM")
        return causal and model.config.model_type in _DIVIDING
    call = getattr(model, "forward", None) or type(model).__call__
    extra = inspect.signature(call).parameters.get("loss_kwargs")
    return extra is not None and extra.kind is inspect.Parameter.VAR_KEYWORD


def count_targets(batches: list[Any]) -> int | None:
    """The number of labels other than -100 in batches, or None if they have none."""
    try:
        return sum(int((np.asarray(batch["labels"]) != -100).sum()) for batch in batches)
    except (KeyError, TypeError):
        return None


def divided_by(items: int, outputs: Any, labels: Any, config: Any) -> Any:
    """A causal model's loss as the sum over its targets, divided by `items`.

    A router's balance loss, which is part of it, is not about targets and stays as it is.
    """
    targets = int((np.asarray(labels)[..., 1:] != -100).sum())
    if not targets:  # the mean over nothing is no number
        return (outputs["logits"] * 0.0)[0, 0, 0]
    loss, share = outputs["loss"], targets / items
    balance = outputs.get("aux_loss")
    if balance is None:
        return loss * share
    balance = balance * config.router_aux_loss_coef
    return (loss - balance) * share + balance
