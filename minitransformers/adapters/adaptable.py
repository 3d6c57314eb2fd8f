"""What a model with adapters inside it can do: the methods of the reference's models."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from .. import hub
from ..core.module import Module
from . import injection, state
from .config import LoraConfig, PeftConfig


class Adaptable(Module):
    """A model into which adapters can be put: they become part of it.

    peft_config: {name of an adapter: its configuration}
    """

    peft_config: dict[str, LoraConfig] = {}

    def load_adapter(
        self,
        peft_model_id: str | os.PathLike | None = None,
        adapter_name: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        device_map: Any = "auto",
        max_memory: Any = None,
        offload_folder: Any = None,
        offload_index: Any = None,
        peft_config: PeftConfig | dict | None = None,
        adapter_state_dict: dict[str, Any] | None = None,
        low_cpu_mem_usage: bool = False,
        is_trainable: bool = False,
        adapter_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Load an adapter from a folder or a Hub repo and put it in force.

        adapter_name: what it is called here, "default" by default
        peft_config, adapter_state_dict: both, in place of a folder
        is_trainable: whether it is trained further
        adapter_kwargs: more of where it is: subfolder, cache_dir, local_files_only, ...
        Raises OSError if files cannot be had, ValueError or RuntimeError for an adapter of another
        model.
        """
        if peft_model_id is None and (peft_config is None or adapter_state_dict is None):
            raise ValueError(
                "You should either pass a `peft_model_id` or a `peft_config` and "
                "`adapter_state_dict` to load an adapter."
            )
        options = dict(adapter_kwargs or {})
        options |= {k: v for k, v in (("revision", revision), ("token", token)) if v is not None}
        where, _ = hub.split_options(options)
        if peft_config is None:
            assert peft_model_id is not None
            peft_config = PeftConfig.from_pretrained(peft_model_id, **where)
        elif isinstance(peft_config, dict):
            peft_config = LoraConfig(**peft_config)
        name = adapter_name or "default"
        weights = adapter_state_dict
        if weights is None:
            assert peft_model_id is not None
            weights = state.load_peft_weights(peft_model_id, **where)
        keys = put_in(self, peft_config, name, weights, is_trainable)
        state.tell(peft_model_id, keys)

    def add_adapter(self, adapter_config: PeftConfig, adapter_name: str | None = None) -> None:
        """Put a fresh adapter into the model, to be trained. Raises ValueError for a name taken."""
        if not isinstance(adapter_config, LoraConfig):
            raise TypeError(
                "adapter_config should be an instance of LoraConfig. Got "
                f"{type(adapter_config)} instead."
            )
        name = adapter_name or "default"
        injection.inject(self, adapter_config, name)
        self.peft_config[name].base_model_name_or_path = self._base_name()
        injection.set_active(self, name)

    def _base_name(self) -> str | None:
        return getattr(self, "name_or_path", None)

    def set_adapter(self, adapter_name: str | list[str]) -> None:
        """Put an adapter in force, or several, whose effects add up.

        Raises ValueError for one that is not there.
        """
        self._check_adapters()
        names = [adapter_name] if isinstance(adapter_name, str) else list(adapter_name)
        if unknown := [name for name in names if name not in self.peft_config]:
            raise ValueError(
                f"Following adapter(s) could not be found: {', '.join(unknown)}. Make sure you are "
                "passing the correct adapter name(s). current loaded adapters are: "
                f"{list(self.peft_config)}"
            )
        injection.set_active(self, names)

    def disable_adapters(self) -> None:
        """Compute as without adapters."""
        self._check_adapters()
        injection.enable(self, False)

    def enable_adapters(self) -> None:
        """Compute with the adapters in force again."""
        self._check_adapters()
        injection.enable(self, True)

    def active_adapters(self) -> list[str]:
        """The adapters in force."""
        self._check_adapters()
        return injection.active(self)

    def active_adapter(self) -> str:
        """The first adapter in force."""
        return self.active_adapters()[0]

    def delete_adapter(self, adapter_names: str | list[str]) -> None:
        """Drop adapters. Raises ValueError for one that is not there."""
        for name in [adapter_names] if isinstance(adapter_names, str) else adapter_names:
            injection.delete(self, name)

    def get_adapter_state_dict(
        self, adapter_name: str | None = None, state_dict: dict[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """The arrays of an adapter, by default of the one in force, as PEFT's files name them."""
        self._check_adapters()
        name = adapter_name or self.active_adapter()
        return state.get_peft_model_state_dict(self, state_dict, name)

    def _check_adapters(self) -> None:
        if not self.peft_config:
            raise ValueError("No adapter loaded. Please load an adapter first.")

    def save_adapters(self, folder: str | os.PathLike, safe_serialization: bool = True) -> None:
        """Write the adapter in force as PEFT does. Raises ValueError if there are several."""
        names = self.active_adapters()
        if len(names) > 1:
            raise ValueError(
                "Multiple active adapters detected, saving multiple active adapters is not "
                "supported yet. You can save adapters separately one by one by iteratively calling "
                "`model.set_adapter(adapter_name)` then `model.save_pretrained(...)`"
            )
        state.save_adapter(self, names[0], folder, safe_serialization=safe_serialization)


def put_in(
    model: Any, config: Any, name: str, weights: dict[str, Any], is_trainable: bool = False
) -> state.IncompatibleKeys:
    """Put an adapter with its arrays in force; a failure leaves the model as it was."""
    before = injection.active(model)
    injection.inject(model, config, name, loading=True)
    try:
        model.peft_config[name].inference_mode = not is_trainable
        keys = state.set_peft_model_state_dict(model, weights, name)
    except (ValueError, RuntimeError):
        injection.remove(model, name, before)
        raise
    injection.set_active(model, name)
    if not is_trainable:
        injection.mark_trainable(model, ())
    return keys
