"""A new vocabulary for the same pipeline: `train_new_from_iterator`."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken, Tokenizer, pre_tokenizers, trainers

from .special_tokens import ROLES, SpecialTokensMixin

_TRAINERS = {
    "BPE": trainers.BpeTrainer,
    "Unigram": trainers.UnigramTrainer,
    "WordLevel": trainers.WordLevelTrainer,
    "WordPiece": trainers.WordPieceTrainer,
}


class RetrainingMixin(SpecialTokensMixin):
    """`train_new_from_iterator` of a tokenizer."""

    def train_new_from_iterator(
        self,
        text_iterator: Iterable[Any],
        vocab_size: int,
        length: int | None = None,
        new_special_tokens: list[str | AddedToken] | None = None,
        special_tokens_map: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return a tokenizer with the same pipeline and a vocabulary learned from texts.

        text_iterator: texts, or batches (lists) of texts.
        special_tokens_map: old special token -> new name. Other keywords go to the trainer.
        """
        renamed = special_tokens_map or {}
        state = json.loads(self._backend.tokenizer.to_str())
        added, post_processor = state.pop("added_tokens"), state.pop("post_processor")
        model = state["model"]
        unk = _empty_model(model, renamed)
        special: list[str | AddedToken] = []
        for token in added:
            if token.pop("special") or model["type"] == "Unigram":
                token.pop("id")
                token["content"] = renamed.get(token["content"], token["content"])
                special.append(AddedToken(**token))
        special += new_special_tokens or []
        _complete_options(kwargs, state, unk)
        trainer = _TRAINERS[model["type"]](vocab_size=vocab_size, special_tokens=special, **kwargs)
        tokenizer = Tokenizer.from_str(json.dumps(state))
        tokenizer.train_from_iterator(text_iterator, length=length, trainer=trainer)
        if post_processor is not None:
            _renumber(post_processor, tokenizer, renamed)
            trained = json.loads(tokenizer.to_str())
            trained["post_processor"] = post_processor
            tokenizer = Tokenizer.from_str(json.dumps(trained))
        options = self._renamed_options(renamed, new_special_tokens)
        make: Any = type(self)
        return make(tokenizer_object=tokenizer, **options)

    def _renamed_options(
        self, renamed: dict[str, str], new_special_tokens: list[str | AddedToken] | None
    ) -> dict[str, Any]:
        """Return the constructor's options with special tokens under their new names."""
        options = copy.deepcopy(self.init_kwargs)
        for role in ROLES:
            token = getattr(self, f"_{role}_token")
            if token is None:
                continue
            name = renamed.get(str(token), str(token))
            if isinstance(token, AddedToken):
                options[f"{role}_token"] = AddedToken(
                    name,
                    single_word=token.single_word,
                    lstrip=token.lstrip,
                    rstrip=token.rstrip,
                    normalized=token.normalized,
                    special=True,
                )
            else:
                options[f"{role}_token"] = name
        others = [
            *(self.additional_special_tokens or []),
            *(new_special_tokens or []),
        ]
        if others:
            options["additional_special_tokens"] = others
        return options


def _empty_model(model: dict[str, Any], renamed: dict[str, str]) -> str | None:
    """Empty the vocabulary of a model's state in place; return Unigram's unknown token."""
    unk = None
    if model["type"] not in _TRAINERS:
        raise ValueError(
            f"This method does not support this type of tokenizer (found {model['type']}) only "
            "BPE, Unigram, WordLevel and WordPiece."
        )
    if model["type"] == "Unigram":
        if model["unk_id"] is not None:
            unk = model["vocab"][model["unk_id"]][0]
            unk = renamed.get(unk, unk)
            model["unk_id"], model["vocab"] = 0, [[unk, 0.0]]
        return unk
    model["vocab"] = {}
    if model["type"] == "BPE":
        model["merges"] = []
    if model.get("unk_token") in renamed:
        model["unk_token"] = renamed[model["unk_token"]]
    return unk


def _complete_options(kwargs: dict[str, Any], state: dict[str, Any], unk: str | None) -> None:
    """Tell the trainer what the pipeline presupposes."""
    model, pre_tokenizer = state["model"], state["pre_tokenizer"] or {}
    if model["type"] == "BPE":
        for name in ("continuing_subword_prefix", "end_of_word_suffix"):
            if model[name] is not None:
                kwargs.setdefault(name, model[name])
    if unk is not None:
        kwargs["unk_token"] = unk
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    if any(step.get("type") == "ByteLevel" for step in steps):
        kwargs["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()


def _renumber(
    post_processor: dict[str, Any], tokenizer: Tokenizer, renamed: dict[str, str]
) -> None:
    """Give the special tokens of a post-processor's state their new names and ids, in place."""

    def new(token: str) -> tuple[str, int]:
        token = renamed.get(token, token)
        index = tokenizer.token_to_id(token)
        if index is None:
            raise ValueError(
                f"Attempted to set the token {token!r} in the post processor, but it is not in the "
                "new vocabulary."
            )
        return token, index

    for entry in (post_processor.get("special_tokens") or {}).values():
        pairs = [new(token) for token in entry["tokens"]]
        entry["tokens"], entry["ids"] = [t for t, _ in pairs], [i for _, i in pairs]
    for role in ("cls", "sep"):
        if role in post_processor:
            post_processor[role] = list(new(post_processor[role][0]))
