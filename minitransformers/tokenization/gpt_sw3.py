"""GPT-SW3's tokenizer: text is cleaned of what cannot be seen, then cut by sentencepiece."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer, models

from .convert.sentencepiece import read_sentencepiece
from .python_tokenizer import PythonTokenizer
from .segmenter import Segmenter

# Control characters other than tabs and line feeds, and spaces without width.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u200b]")
_SPACES = re.compile("[\u2002\u2003\u2005\u2008-\u200a\u202f\u3000\ufffc]")


class GPTSw3Tokenizer(PythonTokenizer):
    """Sentencepiece with bytes for unknown characters; no special tokens around texts."""

    vocab_files_names = {"vocab_file": "spiece.model"}
    defaults: dict[str, Any] = {
        "do_lower_case": False,
        "remove_space": False,
        "keep_accents": False,
        "sp_model_kwargs": None,
    }

    @classmethod
    def _prepare(cls, options: dict[str, Any]) -> None:
        if (options["sp_model_kwargs"] or {}).get("enable_sampling"):
            raise ValueError(
                "sp_model_kwargs: sampling is not available, a text is always cut the same way."
            )
        options["sp_model_kwargs"] = options["sp_model_kwargs"] or {}
        eos, unk = options.get("eos_token"), options.get("unk_token")
        eos, unk = "<|endoftext|>" if eos is None else eos, "<unk>" if unk is None else unk
        # The largest of the first models has fewer special tokens, and its name tells.
        few = "gpt-sw3-7b" in (options.get("name_or_path") or "")
        tokens = {"eos": eos, "unk": unk}
        tokens |= {"pad": unk, "bos": eos} if few else {"pad": "<pad>", "bos": "<s>"}
        for role, token in tokens.items():
            if options.get(f"{role}_token") is None:
                options[f"{role}_token"] = token

    @staticmethod
    def build(options: dict[str, Any]) -> Tokenizer:
        """Return a Rust tokenizer that holds the pieces."""
        model = read_sentencepiece(options["vocab_file"])
        vocabulary = {piece.text: index for index, piece in enumerate(model.pieces)}
        return Tokenizer(models.WordLevel(vocabulary, unk_token=model.pieces[model.unk_id].text))

    def _finish(self, options: dict[str, Any]) -> None:
        self.do_lower_case: bool = options["do_lower_case"]
        super()._finish(options)
        self._segmenter = Segmenter(options["vocab_file"])

    def _vocabulary_files(self) -> dict[str, bytes]:
        return {"vocab_file": self._segmenter.data}

    # -- from text to ids -----------------------------------------------------------------------

    def preprocess_text(self, text: str) -> str:
        """Return a text without invisible characters, with plain spaces, composed (NFC)."""
        return unicodedata.normalize("NFC", _SPACES.sub(" ", _UNSEEN.sub("", text)))

    def _pieces(self, text: str, as_target: bool = False) -> list[str]:
        return self._segmenter.cut(self.preprocess_text(text))

    def _tokenize(
        self, text: str, as_target: bool = False, split_special_tokens: bool = False
    ) -> list[str]:
        if self.do_lower_case:
            text = self._lowered(text)
        return super()._tokenize(text, as_target, split_special_tokens)

    def _lowered(self, text: str) -> str:
        kept = [*self.all_special_tokens]
        kept += [t.content for t in self._added.values() if not t.special and t.normalized]
        parts = re.split(f"({'|'.join(map(re.escape, kept))})", text)
        return "".join(part if part in kept else part.lower() for part in parts)

    def add_tokens(
        self,
        new_tokens: str | AddedToken | Sequence[str | AddedToken],
        special_tokens: bool = False,
    ) -> int:
        """Add tokens; lower-cased ones if texts are, unless they are special."""
        if vars(self).get("do_lower_case") and not special_tokens:
            given: Any = new_tokens if isinstance(new_tokens, (list, tuple)) else [new_tokens]
            new_tokens = [self._lowered_token(token) for token in given]
        return super().add_tokens(new_tokens, special_tokens)

    def _lowered_token(self, token: str | AddedToken) -> str | AddedToken:
        if isinstance(token, str):
            return token if token in self.all_special_tokens else token.lower()
        if token.normalized and not token.special:
            token.content = token.content.lower()
        return token

    def encode_fast(
        self, text: str | list[str], return_tensors: str | bool = False
    ) -> list[int] | list[list[int]] | np.ndarray:
        """Return the ids of a text or of a list of texts; special tokens in them are text.

        return_tensors: True, "pt" or "np" for an array (seq,), of texts of one length (batch, seq).
        """
        rows = [text] if isinstance(text, str) else text
        unk = self._segmenter.unk_id
        ids = [[self._vocabulary.get(p, unk) for p in self._pieces(r)] for r in rows]
        found = ids[0] if isinstance(text, str) else ids
        return np.asarray(found) if return_tensors in (True, "pt", "np") else found

    # -- from ids to text -----------------------------------------------------------------------

    def decode_fast(self, token_ids: int | list[int]) -> str:
        """Return the text of ids, without special tokens."""
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        return self._segmenter.join([self._tokens[index] for index in ids])

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """Join pieces into text; special tokens stand in it, a space before each run of them."""
        special = set(self.all_special_tokens)
        text, after_special = "", False
        run: list[str] = []
        for token in tokens:
            if token in special:
                text += ("" if after_special else " ") + self._segmenter.join(run) + token
                run = []
            else:
                run.append(token)
            after_special = token in special
        return text + self._segmenter.join(run)

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Return the text as it is: it needs no cleaning."""
        return out_string
