"""From a tokenizer to files that this library and the reference load."""

from __future__ import annotations

import copy
import json
import os
import shutil
from typing import Any

from tokenizers import AddedToken

from ..sharing import Shareable, pushing
from .loading import (
    ADDED_TOKENS_FILE,
    SPECIAL_TOKENS_MAP_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
)
from .special_tokens import SpecialTokensMixin

_NOT_SAVED = ("name_or_path", "special_tokens_map_file", "tokenizer_file", "device_map")


class SavingMixin(SpecialTokensMixin, Shareable):
    """`save_pretrained`, `save_vocabulary` and `push_to_hub`."""

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
        push_to_hub: bool = False,
        **kwargs: Any,
    ) -> tuple[str, ...]:
        """Write tokenizer.json, the configuration and the vocabulary files; return their paths.

        legacy_format: False leaves the vocabulary files out, True leaves tokenizer.json out.
        push_to_hub: upload them as well; `repo_id` and keywords of the method `push_to_hub` say how
        """
        folder = os.fspath(save_directory)
        if os.path.isfile(folder):
            raise ValueError(f"Provided path ({folder}) should be a directory, not a file")
        if legacy_format is True and not self.saves_vocabulary:
            raise ValueError(
                f"{type(self).__name__} has no vocabulary files of its own: leave legacy_format "
                "unset or pass False."
            )
        with pushing(self, folder, push_to_hub, kwargs):
            os.makedirs(folder, exist_ok=True)
            return self._write(folder, legacy_format, filename_prefix)

    def _write(
        self, folder: str, legacy_format: bool | None, filename_prefix: str | None
    ) -> tuple[str, ...]:
        prefix = f"{filename_prefix}-" if filename_prefix else ""

        def path(name: str) -> str:
            return os.path.join(folder, prefix + name)

        saved = [path(TOKENIZER_CONFIG_FILE), path(SPECIAL_TOKENS_MAP_FILE)]
        write_json(saved[0], self._config())
        tokens = self.special_tokens_map_extended
        write_json(saved[1], _plain_tokens(tokens, typed=False))
        if legacy_format is not False and self.saves_vocabulary:
            added = {
                token: index
                for token, index in self.added_tokens_encoder.items()
                if index >= self.vocab_size
            }
            if added:
                write_json(path(ADDED_TOKENS_FILE), added)
                saved.append(path(ADDED_TOKENS_FILE))
            saved += self.save_vocabulary(folder, filename_prefix)
        if legacy_format is not True:
            self._backend.tokenizer.save(path(TOKENIZER_FILE))
            saved.append(path(TOKENIZER_FILE))
        return tuple(saved)

    def _config(self) -> dict[str, Any]:
        """Return what tokenizer_config.json holds."""
        config = copy.deepcopy(self.init_kwargs)
        for name in {*config, "model_max_length", "clean_up_tokenization_spaces"}:
            if hasattr(self, name):
                config[name] = getattr(self, name)
        config.update(self.special_tokens_map)
        if isinstance(self.chat_template, dict):
            config["chat_template"] = [
                {"name": name, "template": text} for name, text in self.chat_template.items()
            ]
        elif self.chat_template is not None:
            config["chat_template"] = self.chat_template
        for name in (*self.vocab_files_names, *_NOT_SAVED):
            config.pop(name, None)
        config = _plain_tokens(config, typed=True)
        config["added_tokens_decoder"] = {
            index: _flags(token) for index, token in self.added_tokens_decoder.items()
        }
        name = type(self).__name__
        # The reference writes the name without "Fast" and finds the fast class from it.
        generic = name == "PreTrainedTokenizerFast"
        config["tokenizer_class"] = name if generic else name.removesuffix("Fast")
        return config

    def save_vocabulary(
        self, save_directory: str | os.PathLike, filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the class's own vocabulary files, as far as they can be written.

        A sentencepiece model is copied from where it was read; without that file it is left out.
        """
        folder = os.fspath(save_directory)
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        model = self._backend.tokenizer.model
        names = self.vocab_files_names
        if set(names.values()) == {"vocab.json", "merges.txt"} or set(names.values()) == {
            "vocab.txt"
        }:
            return tuple(model.save(folder, filename_prefix or None))
        saved = []
        for role, name in names.items():
            source = self.init_kwargs.get(role)
            if source is None or not os.path.isfile(source):
                continue
            target = os.path.join(folder, prefix + name)
            if os.path.abspath(source) != os.path.abspath(target):
                shutil.copyfile(source, target)
            saved.append(target)
        return tuple(saved)


def write_json(path: str, value: dict[str, Any]) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _flags(token: AddedToken) -> dict[str, Any]:
    names = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    return {name: getattr(token, name) for name in names}


def _plain_tokens(value: Any, typed: bool) -> Any:
    """Replace every AddedToken inside a value by a dictionary.

    typed: with "__type", as the configuration wants it, or without "special".
    """
    if isinstance(value, AddedToken):
        flags = _flags(value)
        if typed:
            return {"__type": "AddedToken", **flags}
        flags.pop("special")
        return flags
    if isinstance(value, (list, tuple)):
        return [_plain_tokens(item, typed) for item in value]
    if isinstance(value, dict):
        return {name: _plain_tokens(item, typed) for name, item in value.items()}
    return value
