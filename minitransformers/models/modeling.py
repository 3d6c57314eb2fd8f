"""What every model shares: the call, loading, saving, generation."""

from __future__ import annotations

import copy
import copyreg
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .. import checkpoints, hub
from ..adapters.adaptable import Adaptable
from ..adapters.base_model import through_adapter
from ..core.cache import KVCache, continued
from ..core.module import Module
from ..core.primitive import Tensor
from ..core.state import State
from ..core.threads import computing, prepare_blas
from ..device import check_device, check_dtype
from ..generation.config import GenerationConfig
from ..sharing import Shareable, pushing
from . import loading, saving
from .config import PretrainedConfig
from .decoding import Decoding
from .described import describe_model
from .facts import Inspectable
from .fresh import Fresh, awaiting_weights, initialise
from .outputs import BaseModelOutput, ModelOutput
from .precision import Precision
from .pruning import Prunable
from .resizing import Resizable
from .trainable import Trainable
from .untrusted import blaming

# Keywords every call takes beside the model's own inputs.
_OPTIONS = (
    "past_key_values",
    "use_cache",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "head_mask",
    "cross_attn_head_mask",
    "num_logits_to_keep",
    "logits_to_keep",
    "cache_position",
)


class PreTrainedModel(
    Adaptable, Trainable, Resizable, Prunable, Inspectable, Shareable, metaclass=Fresh
):
    """A model with a configuration, and fresh weights if it is not loaded. Subclasses build their
    parts in `__init__` and compute in `forward(state, **inputs) -> {output field: array}`;
    everything around that is here.

    inputs: names of the inputs, in the order in which positional arguments are given
    targets: keywords from which `loss` is computed
    output_class: the record a call returns
    base_model_prefix: attribute of the headless model inside a model with a head
    tied: {name: the name whose array it uses}, where the configuration ties word embeddings
    always_tied: the same, in every configuration
    ignore: endings of checkpoint names that hold nothing the model uses
    leaves_out: beginnings of names of parts, found in checkpoints, that this class goes without
    optional: endings of names that a checkpoint may lack
    renames: (pattern, replacement) for checkpoint names of old files, tried in order
    encoder_inputs: further inputs of the encoder, of a model that has one
    generates: whether there is a language model's head
    positions_skip_padding: whether decoding counts positions without padding
    positions_from_zero: whether decoding counts from zero where a call alone would not
    caches_with_targets: whether a call with targets returns a cache too
    shares_layers: whether always-tied layers are one in the reference, not several with one weight
    redraws: names of layers whose fresh weights the reference draws twice in a row
    drawn_last: names of layers whose fresh weights come last, unless they are tied
    never_quantised: names of modules that NF4 leaves as they are
    """

    config_class: ClassVar[type[PretrainedConfig]] = PretrainedConfig
    inputs: ClassVar[tuple[str, ...]] = ("input_ids", "attention_mask")
    targets: ClassVar[tuple[str, ...]] = ()
    output_class: ClassVar[type[ModelOutput]] = BaseModelOutput
    base_model_prefix: ClassVar[str] = ""
    main_input_name: ClassVar[str] = "input_ids"
    tied: ClassVar[dict[str, str]] = {}
    always_tied: ClassVar[dict[str, str]] = {}
    ignore: ClassVar[tuple[str, ...]] = ()
    leaves_out: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    renames: ClassVar[tuple[tuple[str, str], ...]] = ()
    encoder_inputs: ClassVar[tuple[str, ...]] = ()
    generates: ClassVar[bool] = False
    positions_skip_padding: ClassVar[bool] = True
    positions_from_zero: ClassVar[bool] = False
    caches_with_targets: ClassVar[bool] = True
    shares_layers: ClassVar[bool] = False
    redraws: ClassVar[tuple[str, ...]] = ()
    drawn_last: ClassVar[tuple[str, ...]] = ()
    never_quantised: ClassVar[tuple[str, ...]] = ()
    saving_options = ("max_shard_size", "safe_serialization", "variant")

    model_tags: list[str] | None = None
    _origin: tuple[str, dict] | None = None  # name and options it was loaded with

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        describe_model(cls, PreTrainedModel)

    def __init__(self, config: PretrainedConfig):
        if not isinstance(config, PretrainedConfig):
            raise TypeError(
                f"{type(self).__name__} is built from a configuration, not "
                f"{type(config).__name__}; use {type(self).__name__}.from_pretrained(name) to load"
            )
        prepare_blas()
        self.config = config
        self.generation_config = GenerationConfig.from_model_config(config)

    def forward(self, state: State, **inputs: Any) -> dict[str, Any]:
        """Compute. inputs: arrays named in `inputs` -> fields of `output_class`"""
        raise NotImplementedError(f"{type(self).__name__} defines no forward")

    def loss(self, values: dict[str, Any], **targets: Any) -> dict[str, Any]:
        """From what `forward` returned. -> {"loss": ()}, and further losses by field"""
        raise NotImplementedError

    def complete(self, inputs: dict[str, Any], targets: dict[str, Any]) -> dict[str, Any]:
        """Derive inputs that may be left out. -> inputs"""
        return inputs

    @property
    def base_model(self) -> PreTrainedModel:
        """The headless model inside, or this one."""
        return getattr(self, self.base_model_prefix, self)

    def embed(self, table: Any, input_ids: Any, inputs_embeds: Any, part: str = "") -> Any:
        """Look the input up, unless it is given as embeddings. -> (batch, seq, hidden)"""
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError(
                f"{type(self).__name__} takes either {part}input_ids or {part}inputs_embeds, got "
                + ("neither" if input_ids is None else "both")
            )
        return table(input_ids) if inputs_embeds is None else inputs_embeds

    # the call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        args, kwargs: the model's inputs (see `inputs`), array-likes; and for every model
        labels (or the names in `targets`): adds `loss` to the output
        past_key_values: the cache of an earlier call; use_cache: whether to return one
        output_hidden_states, output_attentions, return_dict: as in the configuration
        num_logits_to_keep: compute logits of the last positions only
        -> `output_class`, or a tuple of its values if not return_dict; of a model in training its
        values are Tensors, whose `loss.backward()` adds to the gradients of the parameters
        Raises TypeError for an unknown keyword.
        """
        given = self._bind(args, kwargs)
        option = self._take_options(given)
        if not self.caches_with_targets and any(name in given for name in self.targets):
            option["use_cache"] = False
        targets = {name: np.asarray(given.pop(name)) for name in self.targets if name in given}
        inputs = self.complete({name: _input(name, x) for name, x in given.items()}, targets)
        state = State(
            option["cache"],
            hidden=option["output_hidden_states"],
            attentions=option["output_attentions"],
            head_mask=option["head_mask"],
            source_head_mask=option["cross_attn_head_mask"],
            last=option["logits_to_keep"],
        )
        with computing(), self.recorded(cached=state.past > 0, for_loss=bool(targets)):
            values = self.forward(state, **inputs)
            if targets:
                values |= self.loss(values, **targets)
        output = self._output(state, values, option["use_cache"])
        return output if option["return_dict"] else output.to_tuple()

    def accepted(self) -> tuple[str, ...]:
        """The keywords a call takes."""
        return tuple(dict.fromkeys(self.inputs + self.targets + _OPTIONS))

    def _bind(self, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
        names = self.inputs + self.targets
        if len(args) > len(names):
            raise TypeError(
                f"{type(self).__name__} takes at most {len(names)} positional arguments"
            )
        for name in names[: len(args)]:
            if name in kwargs:
                raise TypeError(f"{type(self).__name__} got two values for {name!r}")
        given = dict(zip(names, args)) | kwargs
        unknown = [name for name in given if name not in self.accepted()]
        if unknown:
            raise TypeError(
                f"{type(self).__name__} does not take {', '.join(map(repr, unknown))}; "
                f"it takes {', '.join(self.accepted())}"
            )
        return {name: value for name, value in given.items() if value is not None}

    def _take_options(self, given: dict[str, Any]) -> dict[str, Any]:
        config = self.config
        fields = self.output_class.__dataclass_fields__  # type: ignore[attr-defined]
        caches = "past_key_values" in fields and self._caches()
        past = given.pop("past_key_values", None)
        use_cache = bool(given.pop("use_cache", getattr(config, "use_cache", False))) and caches
        use_cache = use_cache and not self.recomputes  # what is computed twice is not kept
        cache = continued(past)
        if cache is not None and not caches:
            raise ValueError(f"{type(self).__name__} keeps no cache: leave past_key_values out")
        if cache is None and use_cache:
            cache = KVCache()
        last = given.pop("num_logits_to_keep", 0)
        given.pop("cache_position", None)  # the cache knows
        # of two stacks each has a mask of its own, which is an input like others
        head_mask = None if "decoder_head_mask" in self.inputs else given.pop("head_mask", None)
        return {
            "cache": cache,
            "use_cache": use_cache,
            "output_hidden_states": given.pop("output_hidden_states", config.output_hidden_states),
            "output_attentions": given.pop("output_attentions", config.output_attentions),
            "return_dict": given.pop("return_dict", config.return_dict),
            "head_mask": head_mask,
            # one mask is for both attentions of a layer, except where each has its own
            "cross_attn_head_mask": given.pop(
                "cross_attn_head_mask", None if "cross_attn_head_mask" in self.inputs else head_mask
            ),
            "logits_to_keep": given.pop("logits_to_keep", last),
        }

    def _caches(self) -> bool:
        """Whether this configuration looks back, so that keys and values can be kept."""
        return True

    def _output(self, state: State, values: dict[str, Any], use_cache: bool) -> ModelOutput:
        fields = self.output_class.__dataclass_fields__  # type: ignore[attr-defined]
        record = {
            "past_key_values": state.cache if use_cache else None,
            "hidden_states": _kept(state.hidden_states),
            "attentions": _kept(state.attentions),
            "decoder_hidden_states": _kept(state.hidden_states),
            "decoder_attentions": _kept(state.attentions),
            "cross_attentions": _kept(state.cross_attentions),
            "global_attentions": _kept(state.global_attentions),
        }
        return self.output_class(**{k: v for k, v in (record | values).items() if k in fields})

    # generation

    @classmethod
    def can_generate(cls) -> bool:
        """Whether the model has a language model's head."""
        return cls.generates

    def start(self, inputs: dict[str, Any], prompt: np.ndarray, **how: Any) -> Decoding:
        """Begin decoding: what the generation loop steps. prompt: (batch, seq); see `Decoding`"""
        return Decoding(self, inputs, prompt, **how)

    def generate(self, inputs: Any = None, generation_config: Any = None, **kwargs: Any) -> Any:
        """Continue a prompt; see `minitransformers.generation.generate`.

        inputs: (batch, seq) prompt ids -> (rows, length) ids, the prompt included
        """
        from ..generation.generate import generate

        return generate(self, inputs, generation_config, **kwargs)

    def compute_transition_scores(
        self,
        sequences: np.ndarray,
        scores: tuple,
        beam_indices: np.ndarray | None = None,
        normalize_logits: bool = False,
    ) -> np.ndarray:
        """The score of each generated token. sequences: (rows, length); scores: (rows, vocab) a
        step -> (rows, steps); see `generation.generate`"""
        from ..generation.generate import compute_transition_scores

        return compute_transition_scores(sequences, scores, beam_indices, normalize_logits)

    def first_layers(self, n: int) -> PreTrainedModel:
        """This model without all but its first n layers, sharing its arrays (early exit).

        Raises ValueError if it has no single list of layers, or not that many.
        """
        depth = self.config.num_hidden_layers
        if not isinstance(n, int) or not 0 < n <= depth:
            raise ValueError(f"assistant_early_exit must be from 1 to {depth} layers, not {n!r}")

        def cut(module: Module) -> Module:
            other = copy.copy(module)
            for name, value in vars(module).items():
                if isinstance(value, list) and len(value) == depth:
                    setattr(other, name, value[:n])
                elif isinstance(value, Module):
                    setattr(other, name, cut(value))
            return other

        if self.config.is_encoder_decoder:
            raise ValueError(f"{type(self).__name__} has two stacks of layers: no early exit")
        return cut(self)  # type: ignore[return-value]

    # loading and saving

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike | None,
        *model_args: Any,
        config: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Load config.json and weights from a folder or a Hub repo; of an adapter, also itself.

        pretrained_model_name_or_path: None with `config` and `state_dict`, which has the weights

        config: a configuration to use instead of the file's
        revision, token, cache_dir, subfolder, local_files_only, force_download: where from
        dtype, torch_dtype: "float32", "bfloat16" or "float16" to keep matrices in; by default they
            stay as the file stores them, mapped and not copied; "auto" is what config.json says.
            Computing is in float32 always
        load_in_8bit, load_in_4bit, quantization_config: quantise, see `BitsAndBytesConfig`
        device_map, low_cpu_mem_usage, attn_implementation: accepted; there is one device, the CPU
        variant: a part of the weights' file name, "fp16" in model.fp16.safetensors
        use_safetensors: True reads no pytorch_model.bin, False no safetensors; None prefers these
        gguf_file: name of a GGUF file there, which has configuration and weights; the path of such
            a file may be given in place of a folder
        ignore_mismatched_sizes: start misshapen weights afresh instead of raising
        output_loading_info: return (model, {missing_keys, unexpected_keys, mismatched_keys, ...})
        other keywords override fields of the configuration or go to the constructor, such as
            add_pooling_layer
        Raises OSError if files cannot be had, ValueError if one is not sound, RuntimeError for
        misshapen weights.
        """
        if pretrained_model_name_or_path is None:
            return cls._of_state(config, *model_args, **kwargs)
        name = os.fspath(pretrained_model_name_or_path)
        given = kwargs | {"config": config}
        adapted = through_adapter(cls.from_pretrained, name, model_args, given)
        if adapted is not None:
            return adapted
        where, rest = hub.split_options(kwargs)
        how = _take_loading_options(rest)
        repo, gguf_file = checkpoints.locate_gguf(name, how["gguf_file"])
        if config is None:
            config, rest = cls.config_class.from_pretrained(
                repo, return_unused_kwargs=True, gguf_file=gguf_file, **where, **rest
            )
        elif not isinstance(config, PretrainedConfig):
            config = cls.config_class.from_pretrained(config, **where)
        takes = inspect.signature(cls.__init__).parameters
        own = {key: rest.pop(key) for key in list(rest) if key in takes and key != "config"}
        if rest:
            raise TypeError(
                f"{cls.__name__}.from_pretrained got unexpected keywords {sorted(rest)}: they are "
                f"neither loading options nor fields of {type(config).__name__}"
            )
        stored = how["state_dict"]
        if stored is None:
            stored = checkpoints.open_checkpoint(
                hub.resolve(repo, **where), how["variant"], how["use_safetensors"], gguf_file
            )
        config.name_or_path = name
        with blaming(name, cls.__name__):
            with awaiting_weights():
                model = cls(config, *model_args, **own)
            report = loading.load(
                model, stored, name, how["ignore_mismatched_sizes"], how["precision"]
            )
            model._origin = (name, where | {"gguf_file": how["gguf_file"]} | own)
            if model.can_generate():
                model.generation_config = GenerationConfig.of_checkpoint(name, config, **where)
        return (model, report) if how["output_loading_info"] else model

    @classmethod
    def _of_state(cls, config: Any, *model_args: Any, **kwargs: Any) -> Any:
        """What `from_pretrained` gives for a state_dict that no file belongs to."""
        how = _take_loading_options(kwargs)
        if config is None or how["state_dict"] is None:
            raise ValueError(
                f"{cls.__name__}.from_pretrained(None) needs a configuration and weights: give "
                "config=... and state_dict=..., or the name of a checkpoint"
            )
        with awaiting_weights():
            model = cls(config, *model_args, **kwargs)
        report = loading.load(
            model, how["state_dict"], "state_dict", how["ignore_mismatched_sizes"], how["precision"]
        )
        return (model, report) if how["output_loading_info"] else model

    @classmethod
    def from_config(cls, config: PretrainedConfig, **kwargs: Any) -> Any:
        """A model with fresh random weights, drawn from the default generator."""
        check_dtype(kwargs.pop("torch_dtype", kwargs.pop("dtype", None)))
        return cls(config)

    _from_config = from_config

    def init_weights(self) -> None:
        """Draw every weight afresh, as the architecture prescribes."""
        initialise(self, [name for name, _, _ in self.slots()])

    def post_init(self) -> None:
        """What the reference's classes end `__init__` with; here weights are fresh without it."""

    def initial_std(self, name: str) -> float:
        """The standard deviation a fresh weight is drawn with. name: its full name"""
        return getattr(self.config, "initializer_range", 0.02)

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        is_main_process: bool = True,
        state_dict: Mapping[str, np.ndarray] | None = None,
        save_function: Callable[[Any, str], Any] | None = None,
        push_to_hub: bool = False,
        max_shard_size: int | str = "5GB",
        safe_serialization: bool = True,
        variant: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Write config.json, generation_config.json and the weights, made for any reader; of a
        model with adapters in it, only the adapter in force, as PEFT writes it.

        is_main_process: False writes weights only, where several processes save together
        state_dict: weights to write in place of the model's own
        push_to_hub: upload the files as well; `repo_id` and keywords of the method `push_to_hub`
            say how
        max_shard_size: weights beyond it are split into several files with an index
        safe_serialization: False writes pytorch_model.bin, which torch.load reads
        save_function: writes such a file, called with ({name: array}, path)
        variant: a part of the weights' file name, "fp16" in model.fp16.safetensors
        Weights of an earlier save there, of that variant, are removed. Raises OSError if
        save_directory is a file.
        """
        folder = os.fspath(save_directory)
        if os.path.isfile(folder):
            raise OSError(f"{folder} is a file; save_pretrained needs a folder")
        layout = saving.layout_of(safe_serialization, save_function)
        with pushing(self, folder, push_to_hub, kwargs):
            if self.peft_config:
                self.save_adapters(folder, safe_serialization)
                return
            saving.save(self, folder, state_dict, is_main_process, max_shard_size, layout, variant)

    def superseded(self, files: Iterable[str], written: Iterable[str]) -> list[str]:
        """Weights among `files` that would be loaded in place of those written."""
        return checkpoints.superseded(files, written)

    def card_tags(self) -> list[str]:
        return self.model_tags or []

    def add_model_tags(self, tags: str | list[str]) -> None:
        """Tag the model card that `push_to_hub` writes, beside the tags it is given."""
        wanted = (self.model_tags or []) + ([tags] if isinstance(tags, str) else list(tags))
        self.model_tags = list(dict.fromkeys(wanted))

    def ties(self) -> dict[str, str]:
        """{name: the name whose array it uses}, for this configuration"""
        return self.always_tied | (self.tied if self.config.tie_word_embeddings else {})

    def tie_weights(self) -> None:
        """Make tied names hold the same array."""
        slots = {name: (owner, attribute) for name, owner, attribute in self.slots()}
        for name, source in self.ties().items():
            if name in slots and source in slots:
                setattr(*slots[name], getattr(*slots[source]))

    def __reduce__(self) -> Any:
        # By path while the weights are still the file's (views of a mapped file are read-only), so
        # that worker processes share its pages.
        unchanged = not any(x.flags.writeable for x in self.state_dict().values())
        if self._origin is not None and unchanged:
            return _reload, (type(self), *self._origin, self.config, self.generation_config)
        return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]


def _reload(cls: Any, name: str, where: dict, config: PretrainedConfig, generation: Any) -> Any:
    model = cls.from_pretrained(name, config=config, **where)
    model.generation_config = generation
    return model


# What the reference takes that changes nothing where there is one device and files are mapped.
_MEANINGLESS = (
    *("low_cpu_mem_usage", "attn_implementation", "use_flash_attention_2", "weights_only"),
    *("max_memory", "offload_folder", "offload_state_dict", "offload_buffers", "_fast_init"),
)


def _take_loading_options(rest: dict[str, Any]) -> dict[str, Any]:
    """Take the loading options out of the keywords, checking those that ask for the impossible."""
    precision = Precision.take(rest)
    check_device(rest.pop("device_map", None))
    if rest.pop("trust_remote_code", False):
        raise ValueError(
            "trust_remote_code=True is refused: code from a repo is never executed. Architectures "
            "of your own can be registered with AutoModel.register"
        )
    if rest.pop("from_tf", False) or rest.pop("from_flax", False):
        raise ValueError("TensorFlow and Flax weights are not read: convert them to safetensors")
    for accepted in _MEANINGLESS:
        rest.pop(accepted, None)
    return {
        "precision": precision,
        "variant": rest.pop("variant", None),
        "gguf_file": rest.pop("gguf_file", None),
        "use_safetensors": rest.pop("use_safetensors", None),
        "state_dict": rest.pop("state_dict", None),
        "ignore_mismatched_sizes": rest.pop("ignore_mismatched_sizes", False),
        "output_loading_info": rest.pop("output_loading_info", False),
    }


def _kept(items: list | None) -> tuple | None:
    return tuple(items) if items else None


def _input(name: str, x: Any) -> Any:
    """Check and convert one input of a call. Raises ValueError naming it."""
    if name == "encoder_outputs" or name.endswith("head_mask") or type(x) is Tensor:
        return x
    x = np.asarray(x)
    if name.endswith("input_ids"):
        if x.ndim < 2 or x.dtype.kind not in "iu":
            raise ValueError(
                f"{name} must be integers of shape (batch, seq), not {x.dtype} of shape {x.shape}: "
                'a tokenizer makes them with return_tensors="np"'
            )
    elif x.dtype == np.float64:
        x = x.astype(np.float32)
    return x
