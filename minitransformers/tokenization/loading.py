"""From files to a tokenizer: which files are read, and which of them wins."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from tokenizers import AddedToken, Tokenizer

from ..checkpoints import gguf_parts, locate_gguf
from .base import TokenizerBase
from .special_tokens import SPECIAL_TOKENS_ATTRIBUTES
from .strategies import InputTypeError

TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_MAP_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"
CHAT_TEMPLATE_FILE = "chat_template.jinja"


def build_from_model(options: dict[str, Any]) -> Tokenizer:
    """Return the Rust tokenizer of a tokenizer.model, sentencepiece's or tiktoken's."""
    from .convert import unigram

    return unigram.sentencepiece(options, unigram.LLAMA)


_COMMON_FILES = {
    "tokenizer_file": TOKENIZER_FILE,
    "tokenizer_config_file": TOKENIZER_CONFIG_FILE,
    "special_tokens_map_file": SPECIAL_TOKENS_MAP_FILE,
    "added_tokens_file": ADDED_TOKENS_FILE,
    "chat_template_file": CHAT_TEMPLATE_FILE,
}
# How to reach a repository; everything else that from_pretrained gets belongs to the tokenizer.
_HUB_OPTIONS = (
    "revision",
    "token",
    "cache_dir",
    "local_files_only",
    "force_download",
    "subfolder",
)
_IGNORED_OPTIONS = ("resume_download", "proxies", "trust_remote_code", "code_revision", "use_fast")


class LoadingMixin(TokenizerBase):
    """`from_pretrained`, and the constructor's search for a vocabulary."""

    # Role of a file in the constructor -> its name in a repository.
    vocab_files_names: dict[str, str] = {"vocab_file": "tokenizer.model"}
    # Whether the vocabulary is saved in these files, beside tokenizer.json.
    saves_vocabulary = False
    optional_files: frozenset[str] = frozenset()
    needs_no_files = False
    # Constructor arguments that the class fills in itself, always or without a tokenizer.json.
    defaults: dict[str, Any] = {}
    converted_defaults: dict[str, Any] = {}
    # The AddedToken flags of a mask token that is given as str.
    mask_flags: dict[str, Any] | None = None
    # The same for any role, without a tokenizer.json.
    converted_flags: dict[str, dict[str, Any]] = {}
    # Makes the Rust tokenizer from constructor arguments, out of the files named there.
    build: Callable[[dict[str, Any]], Tokenizer] | None = staticmethod(build_from_model)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | os.PathLike, *init_inputs: Any, **kwargs: Any
    ) -> Any:
        """Load a tokenizer from a folder, a repository of the Hub, or a single vocabulary file.

        Keywords of the Hub (`revision`, `token`, `cache_dir`, `local_files_only`,
        `force_download`, `subfolder`) say where to look, and `gguf_file` names a GGUF file there
        that holds the tokenizer; all others override the stored configuration, special tokens
        included.
        Raises OSError if the repository holds no file that this class can read.
        """
        repo = os.fspath(pretrained_model_name_or_path)
        hub = split_hub_options(kwargs)
        folder, gguf_file = locate_gguf(repo, kwargs.pop("gguf_file", None))
        if gguf_file is not None:
            return cls._from_gguf(folder, gguf_parts(gguf_file)[0], hub, kwargs)
        if os.path.isfile(repo):
            files = cls._single_file(repo)
        else:
            files = find_files(repo, {**cls.vocab_files_names, **_COMMON_FILES}, hub)
        readable = (*cls.vocab_files_names, "tokenizer_file")
        if not cls.needs_no_files and not any(files.get(role) for role in readable):
            wanted = ", ".join(dict.fromkeys([TOKENIZER_FILE, *cls.vocab_files_names.values()]))
            raise OSError(
                f"Can't load tokenizer for '{repo}': found none of {wanted}. Check the name, or "
                f"that the folder contains the files of a {cls.__name__} tokenizer."
            )
        config = read_json(files.pop("tokenizer_config_file", None))
        config.pop("tokenizer_class", None)
        init_inputs = init_inputs or tuple(config.pop("init_inputs", ()))
        return cls(*init_inputs, **_constructor_arguments(config, kwargs, files, repo))

    @classmethod
    def _from_gguf(cls, repo: str, name: str, hub: dict[str, Any], kwargs: dict[str, Any]) -> Any:
        from .convert.gguf import gguf_tokenizer

        path = find_files(repo, {"gguf": name}, hub)["gguf"]
        if path is None:
            raise OSError(f"Can't load tokenizer for '{repo}': there is no {name}.")
        tokenizer, options = gguf_tokenizer(path)
        options = {**options, **kwargs, "name_or_path": repo}
        make: Any = cls
        return make(tokenizer_object=tokenizer, **options)

    @classmethod
    def _single_file(cls, path: str) -> dict[str, str | None]:
        name = os.path.basename(path)
        if name.endswith(".json") and "vocab" not in name:
            return {"tokenizer_file": path}
        if len(cls.vocab_files_names) != 1:
            raise ValueError(
                f"{cls.__name__}.from_pretrained() needs more than the single file {path!r}: "
                "pass the folder or the repository that holds all of them."
            )
        return {next(iter(cls.vocab_files_names)): path}

    @classmethod
    def _complete(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Name positional arguments, and fill in the defaults of the class."""
        names = [*cls.vocab_files_names, "tokenizer_file"]
        if len(args) > len(names):
            raise TypeError(f"{cls.__name__} takes {len(names)} positional arguments: {names}")
        converted = kwargs.get("tokenizer_object") is None and not kwargs.get("tokenizer_file")
        options = {
            **cls.defaults,
            **(cls.converted_defaults if converted else {}),
            **kwargs,
            **dict(zip(names, args)),
        }
        flags = {} if cls.mask_flags is None else {"mask_token": cls.mask_flags}
        for role, chosen in {**flags, **(cls.converted_flags if converted else {})}.items():
            if isinstance(options.get(role), str):
                options[role] = AddedToken(options[role], **chosen)
        cls._prepare(options)
        return options

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        """Complete the constructor's options in place; for subclasses."""

    def _take_backend(self, kwargs: dict[str, Any]) -> Tokenizer:
        """Remove the Rust tokenizer from `kwargs`, or make it from the files named there."""
        given = kwargs.pop("tokenizer_object", None)
        tokenizer_file = kwargs.pop("tokenizer_file", None)
        from_slow = kwargs.pop("from_slow", False)
        if given is not None:
            given = getattr(given, "backend_tokenizer", given)
            if not isinstance(given, Tokenizer):
                raise InputTypeError(
                    f"tokenizer_object must be a tokenizers.Tokenizer, got {type(given).__name__}"
                )
            return Tokenizer.from_str(given.to_str())
        roles = [role for role in self.vocab_files_names if role not in self.optional_files]
        convertible = self.build is not None and all(kwargs.get(role) for role in roles)
        if tokenizer_file is not None and not (from_slow and convertible):
            return load_tokenizer_file(tokenizer_file)
        if convertible:
            return self.build(kwargs)  # type: ignore[misc]
        raise ValueError(
            f"{type(self).__name__} needs a vocabulary: pass tokenizer_object=, tokenizer_file= or "
            f"{', '.join(f'{role}=' for role in self.vocab_files_names) or 'nothing else'}; "
            "or call from_pretrained()."
        )


def split_hub_options(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Remove the keywords that address a repository from `kwargs` and return them."""
    token = kwargs.pop("use_auth_token", None)
    if token is not None:
        kwargs.setdefault("token", token)
    for name in [*_IGNORED_OPTIONS, *(name for name in kwargs if name.startswith("_"))]:
        kwargs.pop(name, None)
    return {
        name: value
        for name in _HUB_OPTIONS
        if name in kwargs and (value := kwargs.pop(name)) is not None
    }


def find_files(repo: str, names: dict[str, str], hub: dict[str, Any]) -> dict[str, str | None]:
    """Return role -> path for each role -> file name, None for files that are not there."""
    folder = os.path.join(repo, hub.get("subfolder", ""))
    if os.path.isdir(repo):
        paths = {role: os.path.join(folder, name) for role, name in names.items()}
        return {role: path if os.path.isfile(path) else None for role, path in paths.items()}
    from ..hub import resolve_file

    return {role: resolve_file(repo, name, required=False, **hub) for role, name in names.items()}


def read_json(path: str | None) -> dict[str, Any]:
    """Return the object in a JSON file, {} without a file; ValueError names a broken file."""
    if path is None:
        return {}
    with open(path, encoding="utf-8") as file:
        try:
            value = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object, found {type(value).__name__}")
    return value


def load_tokenizer_file(path: str) -> Tokenizer:
    """Return the Rust tokenizer of a tokenizer.json; OSError or ValueError name the file."""
    if not os.path.isfile(path):
        raise OSError(f"The tokenizer file {path!r} does not exist.")
    try:
        return Tokenizer.from_file(path)
    except Exception as error:
        raise ValueError(f"{path} is not a readable tokenizer.json: {error}") from error


def _constructor_arguments(
    config: dict[str, Any], kwargs: dict[str, Any], files: dict[str, Any], repo: str
) -> dict[str, Any]:
    """Merge the files into constructor arguments; `kwargs` win over every file."""
    special_tokens_map = read_json(files.pop("special_tokens_map_file", None))
    added_tokens = read_json(files.pop("added_tokens_file", None))
    template_file = files.pop("chat_template_file", None)
    arguments = {**config, **kwargs}
    if template_file is not None and "chat_template" not in kwargs:
        with open(template_file, encoding="utf-8") as file:
            arguments["chat_template"] = file.read()
    for role, path in files.items():
        if arguments.get(role) is None or role == "tokenizer_file":
            arguments[role] = path
    arguments["name_or_path"] = repo
    if "added_tokens_decoder" in arguments:
        declared = {
            int(index): _declared_token(token)
            for index, token in arguments["added_tokens_decoder"].items()
        }
    else:
        _merge_special_tokens_map(arguments, kwargs, special_tokens_map)
        declared = _legacy_added_tokens(arguments, added_tokens, files.get("tokenizer_file"))
    arguments["added_tokens_decoder"] = declared
    by_content = {str(token): token for token in declared.values()}
    arguments = {
        name: value if name == "added_tokens_decoder" else revive_tokens(value)
        for name, value in arguments.items()
    }
    for name in SPECIAL_TOKENS_ATTRIBUTES[:-1]:
        value = arguments.get(name)
        if value is not None:
            arguments[name] = by_content.get(str(value), value)
    return arguments


def _declared_token(token: Any) -> AddedToken:
    if isinstance(token, dict):
        token = AddedToken(**token)
    if not isinstance(token, AddedToken):
        raise ValueError(
            f"Found a {type(token)} in `added_tokens_decoder`, should be a dictionary or an "
            "AddedToken"
        )
    return token


def _merge_special_tokens_map(
    arguments: dict[str, Any], kwargs: dict[str, Any], special_tokens_map: dict[str, Any]
) -> None:
    """Let special_tokens_map.json override the configuration, but not the caller."""
    for name, value in special_tokens_map.items():
        if kwargs.get(name):
            continue
        if isinstance(value, dict):
            value = AddedToken(**{**value, "special": True})
        elif name == "additional_special_tokens" and isinstance(value, list):
            merged = list(arguments.get(name) or [])
            for token in value:
                if isinstance(token, dict):
                    token = AddedToken(**{**token, "special": True})
                if token not in merged:
                    merged.append(token)
            value = merged
        arguments[name] = value


def _legacy_added_tokens(
    arguments: dict[str, Any], added_tokens: dict[str, int], tokenizer_file: str | None
) -> dict[int, AddedToken]:
    """Read added_tokens.json, then the added tokens of tokenizer.json, which win."""
    special: set[str] = set()
    for name in SPECIAL_TOKENS_ATTRIBUTES:
        value = arguments.get(name)
        special.update(map(str, value if isinstance(value, (list, tuple)) else [value]))
    declared = {
        index: AddedToken(content, normalized=content not in special, special=content in special)
        for content, index in added_tokens.items()
    }
    for token in read_json(tokenizer_file).get("added_tokens") or []:
        declared[token["id"]] = AddedToken(**{k: v for k, v in token.items() if k != "id"})
    return declared


def revive_tokens(value: Any) -> Any:
    """Turn every {"__type": "AddedToken", ...} inside a JSON value into an AddedToken."""
    if isinstance(value, dict):
        if value.get("__type") == "AddedToken":
            return AddedToken(**{k: v for k, v in value.items() if k != "__type"})
        return {name: revive_tokens(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [revive_tokens(item) for item in value]
    return value
