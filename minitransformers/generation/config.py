"""GenerationConfig: how to generate, as files and keywords say it."""

from __future__ import annotations

import copy
import json
import os
from typing import TYPE_CHECKING, Any

from .. import hub
from ..checkpoints import locate_gguf, open_gguf
from ..json_files import parse_json
from ..logging import warning_once
from ..sharing import Shareable, pushing

# Every parameter and its default, in the groups of the reference's documentation.
DEFAULTS: dict[str, Any] = {
    # length
    "max_length": 20,
    "max_new_tokens": None,
    "min_length": 0,
    "min_new_tokens": None,
    "early_stopping": False,
    "max_time": None,
    "stop_strings": None,
    # strategy
    "do_sample": False,
    "num_beams": 1,
    "num_beam_groups": 1,
    "penalty_alpha": None,
    "dola_layers": None,
    # cache
    "use_cache": True,
    "cache_implementation": None,
    "cache_config": None,
    "return_legacy_cache": None,
    # logits
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1.0,
    "min_p": None,
    "typical_p": 1.0,
    "epsilon_cutoff": 0.0,
    "eta_cutoff": 0.0,
    "diversity_penalty": 0.0,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "length_penalty": 1.0,
    "no_repeat_ngram_size": 0,
    "bad_words_ids": None,
    "force_words_ids": None,
    "renormalize_logits": False,
    "constraints": None,
    "forced_bos_token_id": None,
    "forced_eos_token_id": None,
    "remove_invalid_values": False,
    "exponential_decay_length_penalty": None,
    "suppress_tokens": None,
    "begin_suppress_tokens": None,
    "forced_decoder_ids": None,
    "sequence_bias": None,
    "token_healing": False,
    "guidance_scale": None,
    "low_memory": None,
    "watermarking_config": None,
    # output
    "num_return_sequences": 1,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_scores": False,
    "output_logits": None,
    "return_dict_in_generate": False,
    # tokens
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
    "encoder_no_repeat_ngram_size": 0,
    "decoder_start_token_id": None,
    # assisted decoding
    "is_assistant": False,
    "num_assistant_tokens": 20,
    "num_assistant_tokens_schedule": "constant",
    "assistant_confidence_threshold": 0.4,
    "prompt_lookup_num_tokens": None,
    "max_matching_ngram_size": None,
    # whatever a custom strategy needs
    "generation_kwargs": {},
}
# Parameters that later releases added; absent from files unless they are set.
_ADDED = {"top_h": None, "assistant_early_exit": None, "assistant_lookbehind": 10}
_ADDED |= {"target_lookbehind": 10, "disable_compile": False}

_SAMPLING_ONLY = ("temperature", "top_p", "min_p", "top_k", "typical_p", "epsilon_cutoff")
_BEAMS_ONLY = ("early_stopping", "num_beam_groups", "diversity_penalty", "length_penalty")
_RUNTIME_ONLY = (
    "logits_processor",
    "stopping_criteria",
    "prefix_allowed_tokens_fn",
    "synced_gpus",
    "assistant_model",
    "streamer",
    "negative_prompt_ids",
    "negative_prompt_attention_mask",
)


class GenerationConfig(Shareable):
    """Parameters of `generate`, by the reference's names. See `DEFAULTS` for all of them.

    Keywords that are no parameter become attributes too, so that files of other versions are read
    without loss. Raises ValueError for values that cannot work.
    """

    if TYPE_CHECKING:  # parameters are the keys of DEFAULTS

        def __getattr__(self, name: str) -> Any: ...

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __init__(self, **kwargs: Any):
        self._from_model_config = kwargs.pop("_from_model_config", False)
        self._made: dict | None = None  # as it was when loaded
        kwargs.pop("transformers_version", None)
        for name, default in (DEFAULTS | _ADDED).items():
            setattr(self, name, kwargs.pop(name, copy.copy(default)))
        for name, value in kwargs.items():
            setattr(self, name, value)
        self.validate(is_init=True)

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name: str | os.PathLike,
        config_file_name: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Read generation_config.json of a folder or a Hub repo; keywords override its values.

        return_unused_kwargs: return (config, the keywords that are no parameter) instead
        gguf_file: name of a GGUF file whose metadata take that file's place
        Raises OSError if there is no such file.
        """
        where, rest = hub.split_options(kwargs)
        name = os.fspath(pretrained_model_name)
        repo, gguf_file = locate_gguf(name, rest.pop("gguf_file", None))
        if gguf_file is not None:
            values = open_gguf(hub.resolve(repo, **where), gguf_file).config
            return cls.from_dict({n: x for n, x in values.items() if n in DEFAULTS}, **rest)
        filename = config_file_name or "generation_config.json"
        path = hub.resolve_file(name, filename, **where)
        assert path is not None
        return cls.from_dict(_read(path), **rest)

    @classmethod
    def from_dict(cls, config_dict: dict, **kwargs: Any) -> Any:
        """From a dictionary of parameters; keywords override it."""
        unused = kwargs.pop("return_unused_kwargs", False)
        config = cls(**config_dict)
        rest = config.update(**kwargs)
        return (config, rest) if unused else config

    @classmethod
    def from_model_config(cls, model_config: Any) -> GenerationConfig:
        """From what old files keep in config.json: parameters that differ from their defaults."""
        values = model_config.to_dict()
        given = {n: values[n] for n, default in DEFAULTS.items() if n in values}
        for part in ("decoder", "generator", "text_config"):  # composite models keep them inside
            inner = values.get(part) or {}
            for name in given:
                if given[name] == DEFAULTS[name] and name in inner:
                    given[name] = inner[name]
        for name in ("output_attentions", "output_hidden_states"):  # these are of the forward pass
            given.pop(name, None)
        return cls(**given, _from_model_config=True)._as_made()

    @classmethod
    def of_checkpoint(cls, name: str, model_config: Any, **where: Any) -> GenerationConfig:
        """generation_config.json beside the weights if there is one, else what config.json says."""
        path = None
        if not os.path.isfile(name):  # as a GGUF file is, which stands for itself
            path = hub.resolve_file(name, "generation_config.json", required=False, **where)
        if path is None:
            return cls.from_model_config(model_config)
        return cls(**_read(path))._as_made()

    def _as_made(self) -> GenerationConfig:
        self._made = self.to_dict()
        return self

    def follows(self, model_config: Any) -> GenerationConfig:
        """This, or what the model's configuration says now: an old way to steer generation, which
        counts if this came from there and has not been touched since.
        """
        if not self._from_model_config or self.to_dict() != self._made:
            return self
        now = GenerationConfig.from_model_config(model_config)
        if now == self:
            return self
        warning_once(
            "You have modified the pretrained model configuration to control generation. This is "
            "deprecated and takes effect all the same: set model.generation_config instead."
        )
        return now

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        config_file_name: str | None = None,
        push_to_hub: bool = False,
        **kwargs: Any,
    ) -> None:
        """Write generation_config.json into a folder, made if needed.

        push_to_hub: upload it as well; `repo_id` and keywords of the method `push_to_hub` say how
        Raises ValueError if its values contradict each other, so that no such file spreads.
        """
        problems = self._contradictions()
        if problems:
            raise ValueError(
                "the generation config is not saved, because its values contradict each other: "
                + "; ".join(problems)
            )
        path = os.path.join(save_directory, config_file_name or "generation_config.json")
        with pushing(self, save_directory, push_to_hub, kwargs):
            os.makedirs(save_directory, exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.to_json_string())

    def update(self, **kwargs: Any) -> dict[str, Any]:
        """Set the parameters among the keywords. -> the others"""
        known = {name: value for name, value in kwargs.items() if hasattr(self, name)}
        for name, value in known.items():
            setattr(self, name, value)
        self.validate()
        return {name: value for name, value in kwargs.items() if name not in known}

    def validate(self, is_init: bool = False) -> None:
        """Raise ValueError for values that cannot work; warn of those that will be ignored."""
        if self.early_stopping not in (True, False, None, "never"):
            raise ValueError(
                f"`early_stopping` must be a boolean or 'never', but is {self.early_stopping}."
            )
        if self.max_new_tokens is not None and self.max_new_tokens <= 0:
            raise ValueError(
                f"`max_new_tokens` must be greater than 0, but is {self.max_new_tokens}."
            )
        returned, beams = self.num_return_sequences, self.num_beams
        if returned != 1 and beams == 1 and self.do_sample is False:
            raise ValueError(
                "Greedy methods without beam search do not support `num_return_sequences` "
                f"different than 1 (got {returned})."
            )
        if beams > 1 and returned > beams:
            raise ValueError(
                f"`num_return_sequences` ({returned}) has to be smaller or equal to `num_beams` "
                f"({beams})."
            )
        for name in _RUNTIME_ONLY:
            if hasattr(self, name):
                raise ValueError(
                    f"Argument `{name}` is not a valid argument of `GenerationConfig`. It should "
                    "be passed to `generate()` (or a pipeline) directly."
                )
        if not is_init:
            for problem in self._contradictions():
                warning_once(problem)

    def _contradictions(self) -> list[str]:
        """Parameters that are set and cannot have an effect, each with the remedy."""
        changed = lambda name: getattr(self, name, None) not in (None, DEFAULTS[name])
        problems = []
        if self.do_sample is False:
            problems += [
                f"`do_sample` is set to `False`. However, `{name}` is set to "
                f"`{getattr(self, name)}` -- this flag is only used in sample-based generation "
                f"modes. You should set `do_sample=True` or unset `{name}`."
                for name in _SAMPLING_ONLY
                if changed(name) and not (name == "top_k" and self.penalty_alpha is not None)
            ]
        if self.num_beams == 1 or self.num_beams is None:
            problems += [
                f"`num_beams` is set to {self.num_beams}. However, `{name}` is set to "
                f"`{getattr(self, name)}` -- this flag is only used in beam-based generation "
                f"modes. You should set `num_beams>1` or unset `{name}`."
                for name in _BEAMS_ONLY
                if changed(name)
            ]
        return problems

    # reading and writing

    def to_dict(self) -> dict[str, Any]:
        """Every parameter, with transformers_version."""
        values = copy.deepcopy({k: v for k, v in vars(self).items() if k != "_made"})
        for name, default in _ADDED.items():
            if values.get(name) == default:
                del values[name]
        return values | {"transformers_version": "4.46.3"}

    def to_diff_dict(self) -> dict[str, Any]:
        """The parameters that differ from their defaults, with transformers_version."""
        plain = GenerationConfig().to_dict()
        return {
            name: value
            for name, value in self.to_dict().items()
            if name == "transformers_version" or name not in plain or value != plain[name]
        }

    def to_json_string(self, use_diff: bool = True, ignore_metadata: bool = False) -> str:
        """As generation_config.json has it: sorted, indented by two."""
        values = self.to_diff_dict() if use_diff else self.to_dict()
        if ignore_metadata:
            values = {k: v for k, v in values.items() if k not in _METADATA}
        return json.dumps(_jsonable(values), indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike, use_diff: bool = True) -> None:
        """Write `to_json_string` to a file."""
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string(use_diff))

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string(ignore_metadata=True)}"

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, GenerationConfig):
            return False
        mine, theirs = (
            {k: v for k, v in x.to_dict().items() if k not in _METADATA} for x in (self, other)
        )
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]


_METADATA = ("_from_model_config", "transformers_version")


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            values = parse_json(file.read())
    except ValueError as error:
        raise OSError(f"{path} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise OSError(f"{path} should hold a JSON object, not {type(values).__name__}")
    return values


def _jsonable(x: Any) -> Any:
    """JSON has only strings as keys, and no objects; sequence_bias has tuples as keys."""
    if isinstance(x, dict):
        return {k if isinstance(k, str) else str(k): _jsonable(v) for k, v in x.items()}
    if isinstance(x, (list, tuple)):
        return [_jsonable(v) for v in x]
    return _jsonable(x.to_dict()) if hasattr(x, "to_dict") else x
