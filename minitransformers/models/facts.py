"""What can be asked of a model's weights, and where and in what they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.layers import Embedding
from ..core.module import Module
from ..core.packed import Packed
from ..device import check_device, check_dtype
from .precision import Precision


class Inspectable(Module):
    """A model that tells how large it is, and keeps its weights in the dtype asked for."""

    def num_parameters(self, only_trainable: bool = False, exclude_embeddings: bool = False) -> int:
        """How many numbers the model holds, a tied array once."""
        tables = {
            f"{name}.weight"
            for name, module in self.named_modules()
            if exclude_embeddings and isinstance(module, Embedding)
        }
        return sum(
            parameter.size
            for name, parameter in self.named_parameters()
            if name not in tables and (parameter.requires_grad or not only_trainable)
        )

    def get_memory_footprint(self, return_buffers: bool = True) -> int:
        """Bytes that the weights take, a tied array once; all of them are in memory, or mapped.

        return_buffers: count arrays that are never trained too. Tables that torch's modules keep
        beside the weights, such as causal masks, are computed here when needed and take nothing.
        """
        kept = (
            getattr(owner, attribute)
            for _, owner, attribute in self.slots()
            if return_buffers or attribute not in owner.buffers
        )
        arrays = {id(x): x for x in kept}
        return sum(x.nbytes for x in arrays.values())

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the weights."""
        return next(getattr(owner, attribute) for _, owner, attribute in self.slots()).dtype

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def framework(self) -> str:
        return "np"

    @property
    def name_or_path(self) -> str:
        return self.config.name_or_path

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Keep the weights in another dtype; or move to a device, of which there is one, the CPU.

        Matrices are kept in half precision and computed in float32; quantised ones stay as they
        are. Raises ValueError for another device or dtype. -> self
        """
        dtype, device = kwargs.get("dtype"), kwargs.get("device")
        for target in args:
            if "float" in str(target):
                dtype = target
            elif not isinstance(target, bool):  # non_blocking
                device = target
        check_device(device)
        if check_dtype(dtype) is not None:
            self._keep_in(Precision(dtype=check_dtype(dtype)))
        return self

    def dequantize(self) -> Any:
        """Keep quantised weights in float32: to be trained, merged into, or saved for others.

        -> self
        """
        self._keep_in(Precision(dtype="float32"), quantised=True)
        vars(self.config).pop("quantization_config", None)
        return self

    def _keep_in(self, precision: Precision, quantised: bool = False) -> None:
        kept: dict[int, tuple] = {}  # id of an array -> it, and what takes its place
        for name, owner, attribute in list(self.slots()):
            array = getattr(owner, attribute)
            if id(array) not in kept:
                convertible = isinstance(array, Packed) and (array.trainable or quantised)
                values = array.numpy() if convertible else array
                kept[id(array)] = array, precision.keep(name, owner, values)
            setattr(owner, attribute, kept[id(array)][1])

    def float(self) -> Any:
        """Keep the weights in float32. -> self"""
        return self.to(dtype="float32")

    def half(self) -> Any:
        """Keep matrices in float16. -> self"""
        return self.to(dtype="float16")

    def bfloat16(self) -> Any:
        """Keep matrices in bfloat16. -> self"""
        return self.to(dtype="bfloat16")

    def cpu(self) -> Any:
        return self

    def cuda(self, device: Any = None) -> Any:
        return self.to("cuda")
