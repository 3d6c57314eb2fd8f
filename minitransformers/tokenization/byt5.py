"""ByT5's tokenizer: the bytes of UTF-8."""

from __future__ import annotations

from typing import Any

from tokenizers import AddedToken, Tokenizer, models

from .python_tokenizer import PythonTokenizer, first_tokens


class ByT5Tokenizer(PythonTokenizer):
    """ByT5: the bytes of UTF-8, behind three special tokens."""

    defaults = {
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "extra_ids": 125,
        "additional_special_tokens": None,
    }
    needs_no_files = True

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the 256 bytes as characters."""
        vocabulary = first_tokens(options, ("pad", "eos", "unk"))
        vocabulary.update({chr(byte): byte + 3 for byte in range(256)})
        return Tokenizer(models.WordLevel(vocabulary, unk_token=str(options["unk_token"])))

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        # Once the extra ids are tokens they are saved as such, and not counted again.
        count, given = options["extra_ids"], options.get("additional_special_tokens")
        options["extra_ids"] = 0
        if given is None:
            options["additional_special_tokens"] = [f"<extra_id_{i}>" for i in range(count)]
        elif count and given and len({str(t) for t in given if "extra_id" in str(t)}) != count:
            raise ValueError(
                f"extra_ids={count} does not fit additional_special_tokens={given}: these must "
                "hold as many extra_id tokens, or extra_ids be 0."
            )
        for role in ("pad", "eos", "unk"):
            token = options[f"{role}_token"]
            if isinstance(token, str):
                options[f"{role}_token"] = AddedToken(
                    token, lstrip=True, rstrip=True, normalized=True
                )

    def _finish(self, options: dict[str, Any]) -> None:
        super()._finish(options)
        self.suffix_tokens = [self.eos_token_id]

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return `text </s>` or `text </s> text </s>`, without doubling a final </s>."""
        eos = self.eos_token_id
        texts = [ids for ids in (token_ids_0, token_ids_1) if ids is not None]
        return [i for ids in texts for i in (ids if ids and ids[-1] == eos else [*ids, eos])]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Return zeros."""
        return [0] * len(self.build_inputs_with_special_tokens(token_ids_0, token_ids_1))

    @property
    def vocab_size(self) -> int:
        """The number of bytes."""
        return 256

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        return [chr(byte) for byte in text.encode()]

    def _token_to_id(self, token: str) -> int | None:
        # As in the reference, what is no byte has no id, not even that of unk.
        return self._ids.get(token)

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join the bytes and decode them, dropping what is not UTF-8."""
        data = b"".join(
            token.encode() if token in self._added else bytes([ord(token)]) for token in tokens
        )
        return data.decode(errors="ignore")
