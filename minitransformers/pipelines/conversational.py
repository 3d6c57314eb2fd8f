"""Conversations, as in releases up to 4.41."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..models import auto
from .base import Params, Pipeline
from .generating import check_generation_keywords, run_generate


class Conversation:
    """Messages that a model answers.

    messages: [{"role", "content"}], or the user's first message as a text
    conversation_id: a UUID, by default a new one
    past_user_inputs, generated_responses: earlier messages, each answered by the one at its place
    """

    def __init__(
        self,
        messages: Any = None,
        conversation_id: uuid.UUID | None = None,
        past_user_inputs: list[str] | None = None,
        generated_responses: list[str] | None = None,
    ):
        self.uuid = conversation_id or uuid.uuid4()
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        asked, answered = past_user_inputs or [], generated_responses or []
        self.messages: list[dict[str, str]] = []
        for i, text in enumerate(asked):
            self.messages.append({"role": "user", "content": text})
            if i < len(answered):
                self.messages.append({"role": "assistant", "content": answered[i]})
        self.messages += messages or []

    def add_message(self, message: dict[str, str]) -> None:
        """Append a message. Raises ValueError without a role and a content."""
        if not {"role", "content"} <= set(message):
            raise ValueError("Message should contain 'role' and 'content' keys.")
        if message["role"] not in ("user", "assistant", "system"):
            raise ValueError("Only 'user', 'assistant' and 'system' roles are supported for now!")
        self.messages.append(message)

    def add_user_input(self, text: str, overwrite: bool = False) -> None:
        """Append the user's next message. overwrite: replace one that has no answer yet

        Raises ValueError for a second message without an answer between.
        """
        if self.messages and self.messages[-1]["role"] == "user":
            if not overwrite:
                raise ValueError(
                    f'User input added while unprocessed input was existing: "{text}" new input: '
                    f'"{self.messages[-1]["content"]}". Set overwrite=True to replace it'
                )
            self.messages.pop()
        self.messages.append({"role": "user", "content": text})

    def append_response(self, response: str) -> None:
        """Append an answer."""
        self.messages.append({"role": "assistant", "content": response})

    def mark_processed(self) -> None:
        """Accepted: the messages tell what has been answered."""

    @property
    def past_user_inputs(self) -> list[str]:
        """The user's messages that have an answer, or must have one before the next."""
        texts = [m["content"] for m in self.messages if m["role"] == "user"]
        return texts[:-1] if self.messages and self.messages[-1]["role"] == "user" else texts

    @property
    def generated_responses(self) -> list[str]:
        """The model's messages."""
        return [m["content"] for m in self.messages if m["role"] == "assistant"]

    @property
    def new_user_input(self) -> str | None:
        """The message to be answered."""
        last = self.messages[-1] if self.messages else {"role": ""}
        return last["content"] if last["role"] == "user" else None

    def iter_texts(self) -> Iterator[tuple[bool, str]]:
        """Yield (whether it is the user's, text) of each message."""
        for message in self.messages:
            yield message["role"] == "user", message["content"]

    def __iter__(self) -> Iterator[dict[str, str]]:
        return iter(self.messages)

    def __getitem__(self, i: Any) -> Any:
        return self.messages[i]

    def __setitem__(self, i: int, message: dict[str, str]) -> None:
        self.messages[i] = message

    def __len__(self) -> int:
        return len(self.messages)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, Conversation):
            return False
        return self.uuid == other.uuid or self.messages == other.messages

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = (f"{message['role']}: {message['content']}\n" for message in self.messages)
        return f"Conversation id: {self.uuid}\n{''.join(lines)}"


class ConversationalPipeline(Pipeline):
    """Answer a `Conversation`: `pipeline("conversational")(Conversation("Hello!"))`.

    -> the same conversation with the answer appended; of a list, the list of them (of a list of
    one, the one). A list of messages is a conversation too.

    clean_up_tokenization_spaces: as in decode, by default True
    minimum_tokens, min_length_for_response: accepted, conversations are not cut
    other keywords: generate()'s; by default, 256 new tokens at most
    """

    ordered = True

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        names = [*auto.class_names("seq2seq-lm").values(), *auto.class_names("causal-lm").values()]
        self.check_model_type(names)

    def _sanitize_parameters(
        self,
        min_length_for_response: int | None = None,
        minimum_tokens: int | None = None,
        clean_up_tokenization_spaces: bool | None = None,
        **generate_kwargs: Any,
    ) -> Params:
        if hasattr(self.model, "generation_config"):
            check_generation_keywords(self, generate_kwargs, ())
        postprocess = {}
        if clean_up_tokenization_spaces is not None:
            postprocess["clean_up_tokenization_spaces"] = clean_up_tokenization_spaces
        return {}, generate_kwargs, postprocess

    def is_single(self, inputs: Any) -> bool:
        return super().is_single(inputs) or isinstance(inputs, Conversation)

    def batch_kind(self, part: Any, parameters: dict[str, Any]) -> Any:
        return part["conversation"].uuid  # one at a time

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict):
            inputs = Conversation(inputs)
        elif isinstance(inputs, list) and inputs and isinstance(inputs[0], list):
            inputs = [Conversation(messages) for messages in inputs]
        outputs = super().__call__(inputs, *args, **kwargs)
        return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs

    def preprocess(self, conversation: Any) -> dict[str, Any]:
        if not isinstance(conversation, Conversation) or not len(conversation):
            raise ValueError(
                "conversational: an input is a Conversation with at least one message, or a list "
                f"of messages; got {conversation!r}"
            )
        ids = self.tokenizer.apply_chat_template(conversation.messages, add_generation_prompt=True)
        return {"input_ids": np.array([ids]), "conversation": conversation}

    def _forward(self, model_inputs: Any, **generate_kwargs: Any) -> Any:
        ids = model_inputs["input_ids"]
        if not {"max_length", "max_new_tokens"} & generate_kwargs.keys():
            generate_kwargs["max_new_tokens"] = 256
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        generated = run_generate(self, inputs, generate_kwargs)[0]
        start = 1 if self.model.config.is_encoder_decoder else ids.shape[1]
        return {"output_ids": generated[:, start:], "conversation": model_inputs["conversation"]}

    def postprocess(
        self, model_outputs: Any, clean_up_tokenization_spaces: bool = True
    ) -> Conversation:
        answer = self.tokenizer.decode(
            model_outputs["output_ids"][0],
            skip_special_tokens=True,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces,
        )
        conversation = model_outputs["conversation"]
        conversation.add_message({"role": "assistant", "content": answer})
        return conversation
