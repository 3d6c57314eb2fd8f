"""Layers with low-rank adapters: W x + scaling B A x (LoRA, Hu et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Conv1D, Dropout, Embedding, Linear, ScaledEmbedding
from ..core.module import Module, placeholder
from ..core.parameter import Parameter
from ..core.primitive import value_of
from .config import LoraConfig
from .wrapper import Named, Wrapper, row_adapters, rows_by_adapter


class LoraLayer(Wrapper):
    """A layer and its adapters, by name.

    base_layer: the layer, whose weight stays where it is
    lora_A: of rank r from the layer's inputs; lora_B: from there to its outputs
    lora_magnitude_vector: DoRA's lengths of the rows of the adapted weight
    r, lora_alpha, scaling, use_dora: {adapter: value}
    transposed: whether the weight is (in, out) and not (out, in)
    """

    inner = "base_layer"
    transposed = False

    def __init__(self, base_layer: Module):
        super().__init__(base_layer)
        self.lora_dropout = Named()
        self.lora_A, self.lora_B = Named(), Named()
        self.lora_magnitude_vector = Named()
        self.r: dict[str, int] = {}
        self.lora_alpha: dict[str, float] = {}
        self.scaling: dict[str, float] = {}
        self.use_dora: dict[str, bool] = {}
        self.merged_adapters: tuple[str, ...] = ()
        self._unmerged: tuple[Any, Any] | None = None  # weight and bias, while something is merged

    def add_adapter(self, name: str, r: int, alpha: float, config: LoraConfig) -> None:
        """Give an adapter its place here. Its arrays are placeholders until set."""
        outputs, inputs = self.features()
        self.r[name], self.lora_alpha[name] = r, alpha
        self.scaling[name] = config.scaling(r, alpha)
        self.use_dora[name] = config.use_dora
        self.lora_dropout[name] = Dropout(config.lora_dropout)
        self.make_factors(name, inputs, outputs, r, config)
        if config.use_dora:
            self.lora_magnitude_vector[name] = Magnitude(outputs)
        for part in self.parts(name):
            part.train(self.training)

    def make_factors(
        self, name: str, inputs: int, outputs: int, r: int, config: LoraConfig
    ) -> None:
        self.lora_A[name] = Linear(inputs, r, bias=False)
        self.lora_B[name] = Linear(r, outputs, bias=config.lora_bias)

    def features(self) -> tuple[int, int]:
        """-> outputs, inputs"""
        first, second = self.base_layer.weight.shape
        return (second, first) if self.transposed else (first, second)

    def parts(self, name: str) -> list[Module]:
        """The Modules of an adapter here."""
        return [
            v[name]
            for v in vars(self).values()
            if isinstance(v, Named) and name in v and isinstance(v[name], Module)
        ]

    def factors(self, name: str) -> tuple[Any, Any]:
        """-> A (r, in), B (out, r)"""
        return self.lora_A[name].weight, self.lora_B[name].weight

    def set_factors(self, name: str, a: Any, b: Any) -> None:
        """Set A (r, in) and B (out, r)."""
        self.lora_A[name].weight, self.lora_B[name].weight = a, b

    def has_bias(self, name: str) -> bool:
        """Whether an adapter's B has a bias."""
        return name in self.lora_B and self.lora_B[name].bias is not None

    # what is asked of, and set on, the layer itself
    weight = property(
        lambda self: self.base_layer.weight,
        lambda self, value: setattr(self.base_layer, "weight", value),
    )
    bias = property(
        lambda self: self.base_layer.bias,
        lambda self, value: setattr(self.base_layer, "bias", value),
    )

    def adapter_names(self) -> list[str]:
        return list(self.scaling)

    def adapter_parameters(self, name: str) -> Iterator[Parameter]:
        for part in vars(self).values():
            if isinstance(part, Named):
                for full, parameter in part.named_parameters():
                    if full.partition(".")[0] == name:
                        yield parameter

    def delete_adapter(self, name: str) -> None:
        for values in (self.r, self.lora_alpha, self.scaling, self.use_dora):
            values.pop(name, None)
        for part in vars(self).values():
            if isinstance(part, Named):
                part.pop(name)

    # computing

    def __call__(self, x: Any) -> Any:
        """Call the layer and add what the adapters in force say."""
        if self.disable_adapters and self.merged_adapters:
            self.unmerge()
        out = self.base_layer(x)
        if self.disable_adapters or self.merged_adapters:
            return out
        rows = row_adapters.get()
        if rows is not None:
            for name, chosen in rows_by_adapter(rows, len(x)).items():
                if name in self.scaling:
                    out[chosen] = self.adapt(name, x[chosen], out[chosen])
            return out
        for name in self._active:
            if name in self.scaling:
                out = self.adapt(name, x, out)
        return out

    def adapt(self, name: str, x: Any, out: Any) -> Any:
        """Add one adapter's part. x: (..., in); out: (..., out) so far -> (..., out)"""
        dropped = self.lora_dropout[name](x)
        low = self.lora_B[name](self.lora_A[name](dropped)) * self.scaling[name]
        if not self.use_dora[name]:
            return out + low
        bias = self.base_layer.bias
        plain = out if dropped is x else self.base_layer(dropped)
        if bias is not None:
            plain = plain - bias
        lengthened = self.lengthening(name)
        return out + plain * (lengthened + -1.0) + low * lengthened

    def lengthening(self, name: str) -> Any:
        """DoRA's factor of each output: the row's length over that of W + scaling B A. -> (out,)"""
        norms = row_norms(self.dense_weight() + self.get_delta_weight(name), self.transposed)
        return self.lora_magnitude_vector[name].weight * (1.0 / norms)

    # merging

    def dense_weight(self) -> np.ndarray:
        """The layer's weight as float32."""
        return dense(self.base_layer.weight)

    def get_delta_weight(self, name: str) -> np.ndarray:
        """scaling B A, in the shape of the layer's weight."""
        a, b = map(value_of, self.factors(name))
        delta = b @ a
        return (delta.T if self.transposed else delta) * self.scaling[name]

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Put adapters, by default those in force, into the layer's weight.

        The weight becomes an array of its own; what it was is kept for `unmerge`.
        safe_merge: raise ValueError if the result would not be finite, and change nothing
        """
        base = self.base_layer
        before = base.weight, getattr(base, "bias", None)
        weight, bias = before
        names = self._active if adapter_names is None else adapter_names
        names = [n for n in names if n in self.scaling and n not in self.merged_adapters]
        for name in names:
            merged = dense(weight) + self.get_delta_weight(name)
            if self.use_dora[name]:
                factor = value_of(self.lora_magnitude_vector[name].weight) / row_norms(
                    merged, self.transposed
                )
                merged *= factor if self.transposed else factor[:, None]
            if self.has_bias(name):
                if bias is None:
                    raise ValueError(
                        f"the adapter {name!r} has lora_bias=True: it cannot be merged into a "
                        "layer without a bias"
                    )
                bias = bias + value_of(self.lora_B[name].bias) * self.scaling[name]
            if safe_merge and not all(
                np.isfinite(x).all() for x in (merged, bias) if x is not None
            ):
                raise ValueError(
                    f"NaNs detected in the merged weights. The adapter {name} seems to be broken"
                )
            weight = merged
        if names:
            base.weight = weight
            if bias is not None:
                base.bias = bias
            self._unmerged = self._unmerged or before
            self.merged_adapters += tuple(names)

    def unmerge(self) -> None:
        """Give the layer the weight back that it had before the first `merge`."""
        if self._unmerged is not None:
            self.base_layer.weight, bias = self._unmerged
            if hasattr(self.base_layer, "bias"):
                self.base_layer.bias = bias
        self._unmerged, self.merged_adapters = None, ()


class LoraConv1D(LoraLayer):
    """The same for a layer that stores its weight as (in, out)."""

    transposed = True


class LoraEmbedding(LoraLayer):
    """Rows of a table with adapters: A holds a column for each row of the table.

    lora_embedding_A: arrays (r, vocab); lora_embedding_B: (hidden, r)
    """

    transposed = True

    def __init__(self, base_layer: Module):
        super().__init__(base_layer)
        self.lora_embedding_A, self.lora_embedding_B = Named(), Named()

    def make_factors(
        self, name: str, inputs: int, outputs: int, r: int, config: LoraConfig
    ) -> None:
        if config.lora_bias:
            raise ValueError("lora_bias=True is not supported for embeddings")
        self.set_factors(name, placeholder(r, inputs), placeholder(outputs, r))

    def factors(self, name: str) -> tuple[Any, Any]:
        return self.lora_embedding_A[name], self.lora_embedding_B[name]

    def set_factors(self, name: str, a: Any, b: Any) -> None:
        self.lora_embedding_A[name], self.lora_embedding_B[name] = a, b

    def adapt(self, name: str, x: Any, out: Any) -> Any:
        """x: (...) ids; out: (..., hidden) so far -> (..., hidden)"""
        a, b = self.factors(name)
        chosen = ops.embedding(ops.transpose(a, axes=(1, 0)), ids=x)
        low = ops.linear(chosen, b) * self.scaling[name]
        if not self.use_dora[name]:
            return out + low
        lengthened = self.lengthening(name)
        return out * lengthened + low * lengthened


class Magnitude(Module):
    """DoRA's trained lengths. weight: (out,)"""

    def __init__(self, outputs: int):
        self.weight = placeholder(outputs)


def dense(weight: Any) -> np.ndarray:
    """A weight as float32, whatever it is kept as."""
    return np.asarray(value_of(weight), np.float32)


def row_norms(weight: np.ndarray, transposed: bool) -> np.ndarray:
    """Lengths of what leads to each output. weight: (out, in), or (in, out) transposed -> (out,)"""
    return np.linalg.norm(weight, axis=0 if transposed else 1)


def adapted(module: Module, name: str) -> LoraLayer:
    """Wrap a layer for adapters. Raises ValueError for one that is of no kind known here."""
    if isinstance(module, Linear):
        return LoraLayer(module)
    if isinstance(module, Conv1D):
        return LoraConv1D(module)
    if type(module) in (Embedding, ScaledEmbedding):
        return LoraEmbedding(module)
    raise ValueError(
        f"Target module {name} is a {type(module).__name__}, which has no low-rank adapter: only "
        "Linear, Conv1D and Embedding layers have one"
    )
