"""Which inputs a model takes, and datasets without the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from .. import logging

logger = logging.get_logger(__name__)


def accepted(model: Any) -> list[str]:
    """The names of a model's inputs, those for the loss among them."""
    if hasattr(model, "get_base_model"):  # adapters around a model
        model = model.get_base_model()
    if hasattr(model, "accepted"):
        return list(model.accepted())
    call = getattr(model, "forward", None) or type(model).__call__
    return [name for name in inspect.signature(call).parameters if name != "self"]


def find_labels(model: Any) -> list[str]:
    """The inputs of a model that are labels."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    spans = "QuestionAnswering" in type(inner).__name__
    return [
        name
        for name in accepted(model)
        if "label" in name or (spans and name in ("start_positions", "end_positions"))
    ]


def is_table(dataset: Any) -> bool:
    """Whether it is a `datasets.Dataset`, or behaves as one."""
    return hasattr(dataset, "column_names") and hasattr(dataset, "remove_columns")


def without_columns(dataset: Any, names: list[str], description: str, model: str) -> Any:
    """A table without the columns the model does not take. Raises ValueError if none is left."""
    ignored = [name for name in dataset.column_names if name not in names]
    if len(ignored) == len(dataset.column_names):
        raise nothing_left(ignored, description, model)
    if ignored:
        logger.info(_ignored(ignored, description, model))
        return dataset.remove_columns(ignored)
    return dataset


class RemoveColumnsCollator:
    """A collator that gets rows without the columns the model does not take."""

    def __init__(
        self,
        data_collator: Callable,
        signature_columns: list[str],
        logger: Any = logger,
        model_name: str = "the model",
        description: str = "dataset",
    ):
        self.data_collator, self.signature_columns = data_collator, signature_columns
        self.logger, self.model_name, self.description = logger, model_name, description
        self.message_logged = False

    def __call__(self, features: list[Any]) -> Any:
        return self.data_collator([self._without(feature) for feature in features])

    def _without(self, feature: Any) -> Any:
        if not hasattr(feature, "keys"):
            return feature
        kept = {name: feature[name] for name in feature if name in self.signature_columns}
        if len(kept) == len(feature):
            return feature
        ignored = [name for name in feature if name not in kept]
        if not kept:
            raise nothing_left(ignored, self.description, self.model_name)
        if not self.message_logged and self.logger:
            self.logger.info(_ignored(ignored, self.description, self.model_name))
            self.message_logged = True
        return kept


def nothing_left(ignored: list[str], description: str, model: str) -> ValueError:
    return ValueError(
        "No columns in the dataset match the model's forward method signature: the "
        f"{description} set has {', '.join(ignored)}, none of which {model} takes. Tokenize the "
        "texts first, or pass remove_unused_columns=False if a data collator does it"
    )


def _ignored(ignored: list[str], description: str, model: str) -> str:
    return (
        f"columns of the {description} set that {model} does not take are ignored: "
        f"{', '.join(ignored)}"
    )
