"""What stands between a PeftModel and its base model: everything that is done to adapters."""

from __future__ import annotations

from typing import Any

from ..core.module import Module
from . import combining, injection


class LoraModel(Module):
    """What stands between a PeftModel and its base model, which it has as `model`."""

    def __init__(self, model: Any):
        self.model = model

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.model(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "model" not in vars(self):
            raise AttributeError(name)
        return getattr(self.model, name)

    @property
    def active_adapters(self) -> list[str]:
        """The adapters in force."""
        return injection.active(self.model)

    active_adapter = active_adapters

    def enable_adapter_layers(self) -> None:
        """Compute with the adapters in force."""
        injection.enable(self.model, True)

    def disable_adapter_layers(self) -> None:
        """Compute as without adapters."""
        injection.enable(self.model, False)

    def merge_adapter(
        self, adapter_names: list[str] | None = None, safe_merge: bool = False
    ) -> None:
        """Put adapters, by default those in force, into the weights, until `unmerge_adapter`."""
        injection.merge(self.model, safe_merge, adapter_names)

    def unmerge_adapter(self) -> None:
        """Give the layers their own weights back."""
        injection.unmerge(self.model)

    def merge_and_unload(
        self,
        progressbar: bool = False,
        safe_merge: bool = False,
        adapter_names: list[str] | None = None,
    ) -> Any:
        """Put adapters, by default those in force, into the weights for good. -> the base model

        Merged layers get a float32 array of their own. safe_merge: raise ValueError where the
        result would not be finite
        """
        injection.merge(self.model, safe_merge, adapter_names)
        return injection.unload(self.model)

    def unload(self) -> Any:
        """Take the adapters out. -> the base model as it was"""
        injection.unmerge(self.model)
        return injection.unload(self.model)

    def delete_adapter(self, adapter_name: str) -> None:
        """Drop an adapter. Raises ValueError for one that is not there."""
        injection.delete(self.model, adapter_name)

    def add_weighted_adapter(
        self,
        adapters: list[str],
        weights: list[float],
        adapter_name: str,
        combination_type: str = "svd",
        svd_rank: int | None = None,
        svd_clamp: float | None = None,
        svd_full_matrices: bool = True,
        svd_driver: str | None = None,
        density: float | None = None,
        majority_sign_method: str = "total",
    ) -> None:
        """Make a new adapter of several; see `combining.combine`."""
        combining.combine(
            self.model,
            adapters,
            weights,
            adapter_name,
            combination_type,
            svd_rank=svd_rank,
            svd_clamp=svd_clamp,
            density=density,
            majority_sign_method=majority_sign_method,
        )
