"""Configurations: what config.json says."""

from __future__ import annotations

import copy
import functools
import inspect
import json
import os
from typing import Any, ClassVar

from .. import checkpoints, hub
from ..json_files import parse_json
from ..sharing import Shareable, pushing
from .described import describe_config
from .untrusted import blaming, check_fields

# Written to config.json: the release of the reference whose files these are.
TRANSFORMERS_VERSION = "4.46.3"

_DEPRECATED = {"dtype": "torch_dtype"}  # the name later versions use -> the one in files


class PretrainedConfig(Shareable):
    """Fields of config.json with their defaults, as class annotations of each subclass.

    Keywords that are no field become attributes too, as in the reference, so that a file made for
    another version is read without loss.

    model_type: the architecture's name, which is also its file's under models/
    attribute_map: {common name: this architecture's name}, for reading and writing
    """

    model_type: ClassVar[str] = ""
    attribute_map: ClassVar[dict[str, str]] = {}
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]
    is_composition: ClassVar[bool] = False

    return_dict: bool = True
    output_hidden_states: bool = False
    output_attentions: bool = False
    torchscript: bool = False
    torch_dtype: str | None = None
    use_bfloat16: bool = False
    tf_legacy_loss: bool = False
    pruned_heads: dict = {}
    tie_word_embeddings: bool = True
    chunk_size_feed_forward: int = 0
    is_encoder_decoder: bool = False
    is_decoder: bool = False
    cross_attention_hidden_size: int | None = None
    add_cross_attention: bool = False
    tie_encoder_decoder: bool = False
    max_length: int = 20
    min_length: int = 0
    do_sample: bool = False
    early_stopping: bool = False
    num_beams: int = 1
    num_beam_groups: int = 1
    diversity_penalty: float = 0.0
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    typical_p: float = 1.0
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    bad_words_ids: list | None = None
    num_return_sequences: int = 1
    output_scores: bool = False
    return_dict_in_generate: bool = False
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None
    remove_invalid_values: bool = False
    exponential_decay_length_penalty: tuple | None = None
    suppress_tokens: list | None = None
    begin_suppress_tokens: list | None = None
    architectures: list | None = None
    finetuning_task: str | None = None
    id2label: dict[int, str] = {0: "LABEL_0", 1: "LABEL_1"}
    label2id: dict[str, int] = {"LABEL_0": 0, "LABEL_1": 1}
    tokenizer_class: str | None = None
    prefix: str | None = None
    bos_token_id: int | None = None
    pad_token_id: int | None = None
    eos_token_id: int | list | None = None
    sep_token_id: int | None = None
    decoder_start_token_id: int | None = None
    task_specific_params: dict | None = None
    problem_type: str | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        describe_config(cls)

    def __init__(self, *values: Any, **kwargs: Any):
        own = list(_fields(type(self)))[len(_fields(PretrainedConfig)) :]
        if len(values) > len(own):
            raise TypeError(f"{type(self).__name__} takes {len(own)} positional arguments")
        kwargs = dict(zip(own, values)) | kwargs
        kwargs.pop("model_type", None)
        kwargs.pop("transformers_version", None)
        num_labels = kwargs.pop("num_labels", None)
        for name, default in _fields(type(self)).items():
            if name not in vars(self):  # a subclass with an __init__ of its own has set its own
                setattr(self, name, copy.deepcopy(default))
        for name, value in kwargs.items():
            setattr(self, _DEPRECATED.get(name, name), value)
        if self.pruned_heads:  # JSON has no whole numbers for keys
            self.pruned_heads = {int(i): heads for i, heads in self.pruned_heads.items()}
        if "id2label" in kwargs and kwargs["id2label"] is not None:
            self.id2label = {int(i): label for i, label in self.id2label.items()}
            if "label2id" not in kwargs:
                self.label2id = {label: i for i, label in self.id2label.items()}
        elif num_labels is not None:
            self.num_labels = num_labels
        self._name_or_path = str(kwargs.get("name_or_path", kwargs.get("_name_or_path", "")))
        kwargs.pop("name_or_path", None)
        vars(self).pop("name_or_path", None)
        if self.torch_dtype is not None:
            self.torch_dtype = str(self.torch_dtype).removeprefix("torch.")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).attribute_map:
            name = type(self).attribute_map[name]
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:  # only reached where there is no such attribute
        mapped = type(self).attribute_map.get(name)
        if mapped is None:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        return getattr(self, mapped)

    @property
    def name_or_path(self) -> str:
        """Where it was loaded from."""
        return self._name_or_path

    @name_or_path.setter
    def name_or_path(self, value: str) -> None:
        self._name_or_path = str(value)

    @property
    def use_return_dict(self) -> bool:
        """Whether calls return a ModelOutput rather than a tuple."""
        return self.return_dict

    @property
    def num_labels(self) -> int:
        """How many labels; setting it names them LABEL_0, LABEL_1, ..."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, n: int) -> None:
        if getattr(self, "id2label", None) is None or len(self.id2label) != n:
            self.id2label = {i: f"LABEL_{i}" for i in range(n)}
            self.label2id = {label: i for i, label in self.id2label.items()}

    def get_text_config(self, decoder: bool = False) -> PretrainedConfig:
        """The configuration of the text model; of a plain text model, itself."""
        return self

    # files

    @classmethod
    def get_config_dict(cls, name: str | os.PathLike, **kwargs: Any) -> tuple[dict, dict]:
        """The contents of config.json. -> (contents, the keywords not used to find it)

        gguf_file: name of a GGUF file whose metadata take the place of config.json

        Raises OSError if it cannot be found or is not JSON.
        """
        where, rest = hub.split_options(kwargs)
        repo, gguf_file = checkpoints.locate_gguf(str(name), rest.pop("gguf_file", None))
        if gguf_file is not None:
            values = checkpoints.open_gguf(hub.resolve(repo, **where), gguf_file).config
            return values | {"_name_or_path": str(name)}, rest
        filename = rest.pop("_configuration_file", "config.json")
        path = hub.resolve_file(str(name), filename, **where)
        assert path is not None
        try:
            with open(path, "rb") as file:
                values = parse_json(file.read())
        except ValueError as error:
            raise OSError(f"{path} is not valid JSON: {error}") from None
        if not isinstance(values, dict):
            raise OSError(f"{path} should hold a JSON object, not {type(values).__name__}")
        check_fields(values, path)
        values["_name_or_path"] = str(name)
        return values, rest

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, **kwargs: Any
    ) -> Any:
        """Read config.json of a folder, a Hub repo or a file; keywords override its fields.

        return_unused_kwargs: return (config, the keywords that are no field) instead
        Raises OSError if there is no such file, naming what was tried; ValueError if it is not
        sound.
        """
        path = os.fspath(pretrained_model_name_or_path)
        if os.path.isfile(path) and not path.endswith(".gguf"):
            folder, kwargs["_configuration_file"] = os.path.split(path)
            path = folder or "."
        values, rest = cls.get_config_dict(path, **kwargs)
        with blaming(path, cls.__name__):
            return cls.from_dict(values, **rest)

    @classmethod
    def from_dict(cls, config_dict: dict, **kwargs: Any) -> Any:
        """From a dictionary of fields; keywords that name a field override it."""
        unused = kwargs.pop("return_unused_kwargs", False)
        kwargs = {_DEPRECATED.get(k, k): v for k, v in kwargs.items()}
        if "num_labels" in kwargs:  # an override must not be outvoted by the file's label names
            config_dict = {
                k: v for k, v in config_dict.items() if k not in ("id2label", "label2id")
            }
            config_dict["num_labels"] = kwargs.pop("num_labels")
            labels = {k: kwargs.pop(k) for k in ("id2label", "label2id") if k in kwargs}
            config_dict = config_dict | labels
        config = cls(**config_dict)
        rest = {}
        for name, value in kwargs.items():
            if hasattr(config, name):
                setattr(config, name, value)
            else:
                rest[name] = value
        if "id2label" in kwargs and "label2id" not in kwargs:
            config.id2label = {int(i): label for i, label in config.id2label.items()}
            config.label2id = {label: i for i, label in config.id2label.items()}
        return (config, rest) if unused else config

    @classmethod
    def from_json_file(cls, json_file: str | os.PathLike) -> Any:
        """From a JSON file of fields."""
        with open(json_file, "rb") as file:
            return cls(**parse_json(file.read()))

    def save_pretrained(
        self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any
    ) -> None:
        """Write config.json into a folder, made if needed.

        push_to_hub: upload it as well; `repo_id` and keywords of the method `push_to_hub` say how
        """
        if os.path.isfile(save_directory):
            raise OSError(f"{os.fspath(save_directory)} is a file; save_pretrained needs a folder")
        with pushing(self, save_directory, push_to_hub, kwargs):
            os.makedirs(save_directory, exist_ok=True)
            self.to_json_file(os.path.join(save_directory, "config.json"))

    def update(self, config_dict: dict) -> None:
        """Set several fields."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    def to_dict(self) -> dict:
        """Every field, with model_type and transformers_version."""
        shown = {"_name_or_path", *_fields(type(self))}
        values = {
            name: copy.deepcopy(value)
            for name, value in vars(self).items()
            if name in shown or not name.startswith("_")
        }
        if self.model_type:
            values["model_type"] = self.model_type
        values["transformers_version"] = TRANSFORMERS_VERSION
        return {k: v.to_dict() if isinstance(v, PretrainedConfig) else v for k, v in values.items()}

    def to_diff_dict(self) -> dict:
        """The fields that identify it: those of the architecture, and others that differ."""
        common = PretrainedConfig().to_dict()
        own = {} if self.is_composition else type(self)().to_dict()
        return {
            name: value
            for name, value in self.to_dict().items()
            if name == "transformers_version"
            or name not in common
            or value != common[name]
            or value != own.get(name, value)
        }

    def to_json_string(self, use_diff: bool = True) -> str:
        """As config.json has it: sorted, indented by two."""
        values = self.to_diff_dict() if use_diff else self.to_dict()
        return json.dumps(values, indent=2, sort_keys=True) + "\n"

    def to_json_file(self, json_file_path: str | os.PathLike, use_diff: bool = True) -> None:
        """Write `to_json_string` to a file."""
        with open(json_file_path, "w", encoding="utf-8") as file:
            file.write(self.to_json_string(use_diff))

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, PretrainedConfig) and vars(self) == vars(other)

    __hash__ = None


@functools.cache
def _fields(cls: Any) -> dict[str, Any]:
    """{field: default}, the common ones first."""
    fields: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        for name, annotation in inspect.get_annotations(base).items():
            if "ClassVar" not in str(annotation):
                fields[name] = vars(base)[name]
        for name in fields:  # a subclass may change a default without annotating it again
            if name in vars(base) and not isinstance(vars(base)[name], property):
                fields[name] = vars(base)[name]
    return fields
