"""What every pipeline shares: parameters, kinds of input, batches, results in order."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ..core.output import ModelOutput
from ..core.random import default_generator
from ..device import check_device, check_dtype
from ..logging import get_logger
from ..models import auto
from ..sharing import Shareable, pushing
from ..tokenization.strategies import InputTypeError
from . import batching

_logger = get_logger(__name__)

# A data set is read this many batches ahead, so that inputs of like length find each other.
_AHEAD = 16

Params = tuple[dict[str, Any], dict[str, Any], dict[str, Any]]


class PipelineException(Exception):
    """An input that a pipeline cannot handle. task, model: of the pipeline; reason: the message"""

    def __init__(self, task: str, model: str, reason: str):
        super().__init__(reason)
        self.task, self.model = task, model


class Pipeline(Shareable):
    """From raw inputs to results.

    Subclasses define `preprocess`, `_forward` and `postprocess`, and `_sanitize_parameters`, which
    sorts keywords to these three.

    model: a model; tokenizer: its tokenizer; other parts as the task needs them
    device: "cpu"; framework, torch_dtype, modelcard, binary_output: accepted and not used
    batch_size: how many inputs go through the model at once, unless a call says otherwise
    other keywords: parameters of the task, as defaults for every call

    A pipeline holds no state of a call, so that threads may share it; it is pickled with the path
    of its weights, where they are still those of a file.
    """

    saving_options = ("max_shard_size", "safe_serialization", "variant")
    default_input_names: ClassVar[str | None] = None
    # Whether inputs keep their order in batches. Sorting by length saves padding, but where random
    # numbers are drawn it would change who gets which.
    ordered: ClassVar[bool] = False
    # How many parts of one input go together where no batch_size is given.
    parts_at_once: ClassVar[int] = 1

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        feature_extractor: Any = None,
        image_processor: Any = None,
        processor: Any = None,
        modelcard: Any = None,
        framework: str | None = None,
        task: str = "",
        args_parser: Any = None,
        device: Any = None,
        torch_dtype: Any = None,
        binary_output: bool = False,
        **kwargs: Any,
    ):
        self.device = check_device(device)
        check_dtype(torch_dtype)
        self.task, self.model, self.tokenizer = task, model, tokenizer
        self.feature_extractor, self.image_processor = feature_extractor, image_processor
        self.processor, self.modelcard = processor, modelcard
        self.framework = "np"
        self.torch_dtype = np.dtype(np.float32)
        self._batch_size: int | None = kwargs.pop("batch_size", None)
        kwargs.pop("num_workers", None)
        if getattr(model, "can_generate", lambda: False)():
            self._take_generation_defaults()
        self._preprocess_params, self._forward_params, self._postprocess_params = (
            self._sanitize_parameters(**kwargs)
        )

    def _take_generation_defaults(self) -> None:
        """Copy the model's generation parameters, with what its configuration says of the task."""
        config = self.model.config
        self.prefix: str | None = getattr(config, "prefix", None)
        self.generation_config = copy.deepcopy(self.model.generation_config)
        special = dict((getattr(config, "task_specific_params", None) or {}).get(self.task) or {})
        self.prefix = special.pop("prefix", self.prefix)
        self.generation_config.update(**special)
        # decided here, so that generate() has nothing to remark on padding
        if self.generation_config.pad_token_id is None:
            pad = getattr(self.tokenizer, "pad_token_id", None)
            eos = np.atleast_1d(self.generation_config.eos_token_id)[0]
            self.generation_config.pad_token_id = eos if pad is None else pad

    # for subclasses

    def _sanitize_parameters(self, **parameters: Any) -> Params:
        """Sort keywords, of the constructor or a call, to preprocess, _forward and postprocess.

        Leave out what was not given, so that the defaults of the three stand.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no _sanitize_parameters")

    # (mypy lets subclasses name their arguments where these take any)
    def preprocess(self, *args: Any, **parameters: Any) -> Any:
        """Make the model's inputs of one input: a dictionary of arrays (1, seq), and anything else
        that _forward wants."""
        raise NotImplementedError(f"{type(self).__name__} defines no preprocess")

    def _forward(self, *args: Any, **parameters: Any) -> Any:
        """Run the model on a batch. -> dictionary of arrays (batch, ...) or lists (batch)"""
        raise NotImplementedError(f"{type(self).__name__} defines no _forward")

    def postprocess(self, *args: Any, **parameters: Any) -> Any:
        """Make the result for one input from its share of what _forward returned."""
        raise NotImplementedError(f"{type(self).__name__} defines no postprocess")

    def forward(self, model_inputs: Any, **parameters: Any) -> Any:
        """Run `_forward`."""
        return self._forward(model_inputs, **parameters)

    def is_single(self, inputs: Any) -> bool:
        """Whether an input that can be iterated over is one input all the same."""
        return isinstance(inputs, (str, bytes, Mapping, ModelOutput))

    def batch_kind(self, part: Any, parameters: dict[str, Any]) -> Any:
        """Inputs of different kinds never share a batch. parameters: of _forward"""
        return None

    @property
    def padding_side(self) -> str:
        """Where shorter inputs of a batch are padded, whatever the tokenizer's own side.

        Texts to be continued end at the right; elsewhere positions are counted from the left. A
        model may say otherwise by an attribute of the same name.
        """
        own = getattr(self.model, "padding_side", None)
        if own is not None:
            return own
        if self.model.config.is_encoder_decoder:
            return "right"
        return "left" if getattr(self.model, "can_generate", lambda: False)() else "right"

    @property
    def pad_token_id(self) -> int | None:
        """What they are padded with."""
        return getattr(self.tokenizer, "pad_token_id", None)

    # running

    def __call__(
        self,
        inputs: Any,
        *args: Any,
        num_workers: int | None = None,
        batch_size: int | None = None,
        progress_bar: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Run one input, a list of them, or a stream: a generator, a data set, any sequence.

        batch_size: how many inputs go through the model at once
        progress_bar: show one (with tqdm); num_workers: accepted, there are none
        other keywords: parameters of the task, instead of the constructor's
        -> the result; of a list the list of results; of a stream an iterator, which reads no
        further ahead than it must and holds no results
        """
        if args:
            raise InputTypeError(
                f"{type(self).__name__} takes one positional argument, the inputs, but also got "
                f"{args}: give parameters by name"
            )
        size = batch_size or self._batch_size
        if size is not None and (not isinstance(size, int) or size < 1):
            raise ValueError(f"batch_size must be a positive integer, not {size!r}")
        given = self._sanitize_parameters(**kwargs)
        defaults = (self._preprocess_params, self._forward_params, self._postprocess_params)
        preprocess, forward, postprocess = ({**d, **g} for d, g in zip(defaults, given))
        run = lambda stream, ahead, many=True: self._run(
            stream, size, ahead, (preprocess, forward, postprocess), many
        )

        if hasattr(inputs, "tolist") and hasattr(inputs, "dtype") and len(inputs.shape) == 1:
            inputs = inputs.tolist()  # an array or a column of texts
        if isinstance(inputs, (list, tuple)):
            results = Results(run(inputs, max(len(inputs), 1)), len(inputs), progress_bar)
            return list(results)
        if self.is_single(inputs) or not (isinstance(inputs, Iterable) or _is_sequence(inputs)):
            return next(run([inputs], 1, many=False))
        if isinstance(inputs, Iterator) or not _is_sequence(inputs):
            return Results(run(inputs, size or 1), None, progress_bar)
        return Results(run(_items(inputs), (size or 1) * _AHEAD), len(inputs), progress_bar)

    def _run(
        self, inputs: Iterable, size: int | None, ahead: int, params: Params, many: bool
    ) -> Iterator[Any]:
        """Yield the results in order. ahead: how many are read at once; many: not a single one"""
        preprocess, forward, postprocess = params
        if many and self.ordered:
            # torch's DataLoader, through which the reference reads, draws a seed for its workers
            default_generator.words(2)
        for window in batching.windows(inputs, ahead if size and size > 1 else 1):
            owners: list[int] = []  # the input that each part belongs to
            parts: list[Any] = []
            for owner, example in enumerate(window):
                pieces = self._pieces(example, preprocess)
                parts += pieces
                owners += [owner] * len(pieces)
            waiting: list[dict[int, Any]] = [{} for _ in window]
            results: list[Any] = [None] * len(window)
            counts = np.bincount(owners, minlength=len(window))
            for owner in np.flatnonzero(counts == 0).tolist():
                results[owner] = self._merge([], postprocess)
            together = size or (self.parts_at_once if self.pad_token_id is not None else 1)
            kind = lambda part: self.batch_kind(part, forward)
            for batch in batching.plan(parts, together, kind, self.ordered):
                chosen = [parts[index] for index in batch]
                inputs_ = batching.collate(chosen, self.pad_token_id, self.padding_side)
                outputs = self.forward(inputs_, **forward)
                for index, output in zip(batch, batching.split(outputs, len(batch))):
                    owner = owners[index]
                    waiting[owner][index] = output
                    if len(waiting[owner]) == counts[owner]:  # complete: the arrays can go
                        pieces = [output for _, output in sorted(waiting[owner].items())]
                        results[owner] = self._merge(pieces, postprocess)
                        waiting[owner] = {}
            yield from results

    def _pieces(self, example: Any, parameters: dict[str, Any]) -> list[Any]:
        return [self.preprocess(example, **parameters)]

    def _merge(self, outputs: list[Any], parameters: dict[str, Any]) -> Any:
        return self.postprocess(outputs[0], **parameters)

    # conveniences

    def predict(self, X: Any) -> Any:
        """As scikit-learn calls it."""
        return self(X)

    def transform(self, X: Any) -> Any:
        """As scikit-learn calls it."""
        return self(X)

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        safe_serialization: bool = True,
        *,
        push_to_hub: bool = False,
        max_shard_size: int | str = "5GB",
        variant: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write model, tokenizer and what else there is into a folder, made if needed.

        safe_serialization, max_shard_size, variant: of the model's `save_pretrained`
        push_to_hub: upload the files as well, in one commit; `repo_id` and keywords of the method
            `push_to_hub` say how
        """
        folder = os.fspath(save_directory)
        if os.path.isfile(folder):
            raise OSError(f"{folder} is a file; save_pretrained needs a folder")
        with pushing(self, folder, push_to_hub, kwargs):
            self.model.save_pretrained(
                folder,
                max_shard_size=max_shard_size,
                safe_serialization=safe_serialization,
                variant=variant,
            )
            parts = (self.tokenizer, self.feature_extractor, self.image_processor, self.processor)
            for part in parts:
                if part is not None:
                    part.save_pretrained(folder)

    def superseded(self, files: Iterable[str], written: Iterable[str]) -> list[str]:
        return self.model.superseded(files, written)

    def card_tags(self) -> list[str]:
        return self.model.card_tags()

    def check_model_type(self, supported_models: Any) -> None:
        """Raise ValueError for a model that lacks the task's head; log an error for one unknown.

        supported_models: names of classes, or {model_type: name}
        """
        names = list(supported_models.values() if isinstance(supported_models, dict) else
                     supported_models)  # fmt: skip
        if any(parent.__name__ in names for parent in type(self.model).__mro__):
            return
        message = (
            f"The model '{type(self.model).__name__}' is not supported for {self.task}. Supported "
            f"models are {names}."
        )
        known = {name for classes in auto.MODELS.values() for name in classes.values()}
        if type(self.model).__name__ in known:
            raise ValueError(message)
        _logger.error(message)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(task={self.task!r}, model={type(self.model).__name__})"


class ChunkPipeline(Pipeline):
    """A pipeline that makes several inputs of the model from one of its own.

    `preprocess` yields them, `postprocess` gets the list of their outputs.
    """

    def _pieces(self, example: Any, parameters: dict[str, Any]) -> list[Any]:
        return list(self.preprocess(example, **parameters))

    def _merge(self, outputs: list[Any], parameters: dict[str, Any]) -> Any:
        return self.postprocess(outputs, **parameters)


class Results:
    """Results of a stream, one by one; its length is the stream's, where that has one."""

    def __init__(self, results: Iterator[Any], total: int | None, progress_bar: bool = False):
        self._total = total
        if progress_bar:
            from tqdm.auto import tqdm

            results = iter(tqdm(results, total=total))
        self._results = results

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return next(self._results)

    def __len__(self) -> int:
        if self._total is None:
            raise TypeError("the results of a generator have no length before they are read")
        return self._total


def _is_sequence(x: Any) -> bool:
    return hasattr(x, "__len__") and hasattr(x, "__getitem__")


def _items(x: Any) -> Iterator[Any]:
    """By index where there is no __iter__: not every data set raises IndexError at its end."""
    return iter(x) if hasattr(x, "__iter__") else (x[i] for i in range(len(x)))
