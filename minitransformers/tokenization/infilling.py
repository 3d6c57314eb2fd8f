"""Code Llama's tokenizer, which asks the model to fill in what is missing in a text."""

from __future__ import annotations

import copy
from typing import Any

from tokenizers import Tokenizer, normalizers

from .backend import Backend
from .convert.templates import set_template
from .encoding import BatchEncoding
from .families import BosEosFamily
from .tokenizer import PreTrainedTokenizerFast


class CodeLlamaFamily(BosEosFamily):
    """Code Llama: fills in what is missing between two texts.

    A single text with <FILL_ME>, or a pair, or a text and its `suffix`, becomes the prompt for it:
    "<PRE> {prefix} <SUF>{suffix} <MID>", or with suffix_first "<PRE> <SUF>{suffix} <MID> {prefix}".
    """

    prefix_token: str | None
    middle_token: str | None
    suffix_token: str | None
    eot_token: str | None

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        given = list(options.get("additional_special_tokens") or [])
        markers = [options[f"{role}_token"] for role in ("prefix", "middle", "suffix", "eot")]
        new = [token for token in markers if token is not None and token not in given]
        options["additional_special_tokens"] = given + new

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        for role in ("prefix", "middle", "suffix", "eot"):
            token = options[f"{role}_token"]
            setattr(self, f"{role}_token", None if token is None else str(token))
        self.fill_token = options["fill_token"]

    def _id_of(self, token: str | None) -> int | None:
        return None if token is None else self.convert_tokens_to_ids(token)

    prefix_id = property(lambda self: self._id_of(self.prefix_token))
    middle_id = property(lambda self: self._id_of(self.middle_token))
    suffix_id = property(lambda self: self._id_of(self.suffix_token))
    eot_id = property(lambda self: self._id_of(self.eot_token))

    def _encode_rows(
        self,
        rows: list[Any],
        *,
        batched: bool,
        suffix: str | None = None,
        suffix_first: bool = False,
        **options: Any,
    ) -> BatchEncoding:
        if batched:
            return super()._encode_rows(rows, batched=True, **options)
        text, after = rows[0] if isinstance(rows[0], tuple) else (rows[0], None)
        after = after if suffix is None else suffix
        if after is None and isinstance(text, str) and self.fill_token:
            text, *rest = text.split(self.fill_token)
            if len(rest) > 1:
                raise ValueError(f"a text has one {self.fill_token} at most, not {len(rest)}")
            after = "".join(rest)
        if not after:
            return super()._encode_rows([text], batched=False, **options)
        special = options.pop("add_special_tokens", True)
        other = self._infilling(suffix_first, special)
        row = (f" {text}", after)
        return PreTrainedTokenizerFast._encode_rows(other, [row], batched=False, **options)

    def _infilling(self, suffix_first: bool, special: bool) -> CodeLlamaFamily:
        """A tokenizer that puts the prompt together. Raises ValueError if a marker is missing."""
        prefix, suffix, middle = self.prefix_token, self.suffix_token, self.middle_token
        if prefix is None or suffix is None or middle is None:
            raise ValueError(
                "filling in needs a prefix_token, a suffix_token and a middle_token; this "
                f"tokenizer has {prefix}, {suffix} and {middle}"
            )
        texts = [suffix, "$B", middle, "$A"] if suffix_first else ["$A", suffix, "$B", middle]
        before = [self.bos_token] if special and self.add_bos_token else []
        end = [self.eos_token] if special and self.add_eos_token else []
        rust = Tokenizer.from_str(self._backend.tokenizer.to_str())
        rust.normalizer = normalizers.Replace(" ", "\u2581")  # no space is put before the texts
        set_template(rust, "$A", " ".join([*before, prefix, *texts, *end]))
        other = copy.copy(self)
        other._backend = Backend(rust)
        return other
