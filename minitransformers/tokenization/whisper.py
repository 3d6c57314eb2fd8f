"""Whisper's tokenizer: language, task and time stamps stand before a text."""

from __future__ import annotations

import re
from typing import Any

from tokenizers import processors

from .convert.languages import WHISPER_LANGUAGES, WHISPER_OTHER_NAMES
from .convert.templates import set_template
from .families import PrefixSpaceFamily

START, TIME = "<|startoftranscript|>", re.compile(r"<\|\d+\.\d+\|>")
TASKS = ("translate", "transcribe")


class WhisperFamily(PrefixSpaceFamily):
    """language: its code or English name; task: "transcribe" or "translate"

    predict_timestamps: whether times are written, so that <|notimestamps|> is left out
    """

    masks_texts = True
    language: str | None
    task: str | None
    predict_timestamps: bool

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self.language, self.task = options["language"], options["task"]
        self.predict_timestamps = options["predict_timestamps"]
        rust = self._backend.tokenizer
        asked = self.language or self.task or self.predict_timestamps
        bare = isinstance(rust.post_processor, processors.ByteLevel)  # of no tokenizer.json
        if (asked or bare) and rust.token_to_id(START) is not None:
            self.set_prefix_tokens()

    def set_prefix_tokens(
        self,
        language: str | None = None,
        task: str | None = None,
        predict_timestamps: bool | None = None,
    ) -> None:
        """Change what stands before each text; None leaves a part as it is.

        Raises ValueError for an unknown language or task.
        """
        self.language = self.language if language is None else language
        self.task = self.task if task is None else task
        if predict_timestamps is not None:
            self.predict_timestamps = predict_timestamps
        prefix = " ".join(f"{token}:0" for token in self.convert_ids_to_tokens(self.prefix_tokens))
        single, pair = "$A:0", "$A:0 $B:1"
        rust = self._backend.tokenizer
        set_template(
            rust, f"{prefix} {single} {self.eos_token}:0", f"{prefix} {pair} {self.eos_token}:1"
        )
        self._backend.forget_variants()

    @property
    def prefix_tokens(self) -> list[int]:
        """The ids that stand before each text."""
        start = self.convert_tokens_to_ids(START)
        ids = [start]
        if self.language is not None:
            self.language = self.language.lower()
            ids.append(start + 1 + list(WHISPER_LANGUAGES).index(self._language_code()))
        if self.task is not None:
            if self.task not in TASKS:
                raise ValueError(f"Unsupported task: {self.task}. Task should be in: {[*TASKS]}")
            ids.append(self.convert_tokens_to_ids(f"<|{self.task}|>"))
        if not self.predict_timestamps:
            ids.append(self.convert_tokens_to_ids("<|notimestamps|>"))
        return ids

    def _language_code(self) -> str:
        codes = {name: code for code, name in WHISPER_LANGUAGES.items()} | WHISPER_OTHER_NAMES
        language = str(self.language)
        if language in codes:
            return codes[language]
        if language not in WHISPER_LANGUAGES:
            known = codes.values() if len(language) == 2 else codes
            raise ValueError(
                f"Unsupported language: {language}. Language should be one of: {list(known)}."
            )
        return language

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return one or two lists of ids with the special tokens around them."""
        return [*self.prefix_tokens, *token_ids_0, *(token_ids_1 or []), self.eos_token_id]

    def get_decoder_prompt_ids(
        self, task: str | None = None, language: str | None = None, no_timestamps: bool = True
    ) -> list[tuple[int, int]]:
        """Set the prefix, and return it as `forced_decoder_ids`: (position, id), from 1 on."""
        self.set_prefix_tokens(language, task, not no_timestamps)
        return list(enumerate(self.prefix_tokens[1:], start=1))

    def _decode_ids(self, ids: list[int], skip_special_tokens: bool, **_: Any) -> str:
        if skip_special_tokens and ids[:1] == [self.convert_tokens_to_ids("<|startofprev|>")]:
            start = self.convert_tokens_to_ids(START)
            ids = ids[ids.index(start) :] if start in ids else []  # without what was said before
        return TIME.sub("", super()._decode_ids(ids, skip_special_tokens))
