"""A conversation with a model: its messages, and the cache that spares reading them again."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Conversation:
    """messages: [{"role", "content"}] as chat templates take them

    tokenizer, model: loaded; parameters: keywords of `generate`
    template: a chat template in place of the tokenizer's
    """

    tokenizer: Any
    model: Any
    parameters: dict[str, Any]
    template: str | None = None
    messages: list[dict[str, str]] = field(default_factory=list)
    _seen: Any = None  # (1, length) ids whose keys and values the cache holds
    _cache: Any = None

    @classmethod
    def open(
        cls, name: str, *, keywords: dict[str, Any], template: str | None, parameters: dict
    ) -> Conversation:
        """Load a model of a folder, Hub id, adapter or .gguf file. Raises ValueError if it is none
        to chat with."""
        from ..pipelines import pipeline

        loaded = pipeline("conversational", name, model_kwargs=keywords)
        chat = cls(loaded.tokenizer, loaded.model, dict(parameters), template)
        try:
            chat.tokenizer.get_chat_template(template)
        except ValueError:
            raise ValueError(
                f"{name} has no chat template, so it was not trained to chat: choose another "
                "--model, continue texts with `minitransformers generate`, or give --chat-template"
            ) from None
        return chat

    def clear(self) -> None:
        """Forget everything but the system prompt."""
        self.messages = [m for m in self.messages[:1] if m["role"] == "system"]

    def system(self, text: str) -> None:
        """Put another system prompt before the messages; "" takes it away."""
        rest = [m for m in self.messages if m["role"] != "system"]
        self.messages = [{"role": "system", "content": text}, *rest] if text else rest

    def save(self, path: str) -> None:
        """Write the messages as JSON."""
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.messages, file, ensure_ascii=False, indent=2)
            file.write("\n")

    def load(self, path: str) -> None:
        """Read messages. Raises ValueError if the file holds anything else."""
        with open(path, encoding="utf-8") as file:
            try:
                found = json.load(file)
            except ValueError as error:
                raise ValueError(f"{path} is no JSON: {error}") from None
        if not isinstance(found, list) or not all(map(_is_message, found)):
            raise ValueError(f'{path} is no conversation: a list of {{"role", "content"}} texts')
        self.messages = found

    def say(self, text: str, *, stream: bool) -> dict[str, Any]:
        """Answer a message. stream: print the answer as it is made

        -> {"role": "assistant", "content": text, "tokens": how many}. Where it fails or is
        interrupted, the message is forgotten.
        """
        from ..generation.streamers import TextStreamer

        messages = [*self.messages, {"role": "user", "content": text}]
        inputs = self.tokenizer.apply_chat_template(
            messages,
            chat_template=self.template,
            add_generation_prompt=True,
            return_tensors="np",
            return_dict=True,
        )
        ids = inputs["input_ids"]
        how = self.parameters | self._room(ids.shape[1])
        if stream and how.get("num_beams", 1) == 1:
            how["streamer"] = TextStreamer(
                self.tokenizer, skip_prompt=True, skip_special_tokens=True
            )
        output = self.model.generate(
            **inputs, **how, **self._known(ids), return_dict_in_generate=True
        )
        self._remember(output)
        start = 0 if self.model.config.is_encoder_decoder else ids.shape[1]
        new = output["sequences"][0, start:]
        answer = self.tokenizer.decode(new, skip_special_tokens=True).strip()
        if stream and "streamer" not in how:
            print(answer, flush=True)
        self.messages = [*messages, {"role": "assistant", "content": answer}]
        return {"role": "assistant", "content": answer, "tokens": len(new)}

    def _room(self, length: int) -> dict[str, int]:
        """As many new tokens as the model has positions for. Raises ValueError if there are none"""
        limit = getattr(self.model.config, "max_position_embeddings", None)
        if self.model.config.is_encoder_decoder or not limit:
            return {}
        if length >= limit:
            raise ValueError(
                f"the conversation has {length} tokens, but the model reads {limit} at most: "
                "/clear begins another"
            )
        wanted = self.parameters.get("max_new_tokens", limit)
        return {"max_new_tokens": min(wanted, limit - length)}

    def _known(self, ids: np.ndarray) -> dict[str, Any]:
        """The cache, cut to where the new prompt begins to differ from what it has seen."""
        if self._cache is None:
            return {}
        n = min(self._seen.shape[1], ids.shape[1] - 1, self._cache.length)
        differs = np.flatnonzero(self._seen[0, :n] != ids[0, :n])
        same = int(differs[0]) if len(differs) else n
        try:
            self._cache.crop(same)
        except ValueError:  # a layer with a window has forgotten what came before
            self._cache = None
        return {"past_key_values": self._cache} if same and self._cache is not None else {}

    def _remember(self, output: Any) -> None:
        from ..core.cache import KVCache

        cache = output.get("past_key_values")
        decodes_alone = not self.model.config.is_encoder_decoder
        usable = decodes_alone and isinstance(cache, KVCache) and len(output["sequences"]) == 1
        self._cache, self._seen = (cache, output["sequences"]) if usable else (None, None)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(value.get(name), str) for name in ("role", "content")
    )
