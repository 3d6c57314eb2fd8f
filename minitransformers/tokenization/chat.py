"""Chat: messages to the text, or the ids, that a model was trained to continue."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from inspect import isfunction, ismethod
from typing import Any

from .default_templates import default_template
from .encoding import BatchEncoding
from .schema import get_json_schema
from .special_tokens import SpecialTokensMixin
from .strategies import InputTypeError

_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


class ChatMixin(SpecialTokensMixin):
    """`apply_chat_template` and the template it uses."""

    chat_template: str | dict[str, str] | None = None

    def _set_chat_template(self, template: Any) -> None:
        """Set the template from what a configuration holds: a text or named texts."""
        if isinstance(template, (list, tuple)):
            template = {entry["name"]: entry["template"] for entry in template}
        self.chat_template = template

    def get_chat_template(
        self, chat_template: str | None = None, tools: Sequence[Any] | None = None
    ) -> str:
        """Return the template to use: the argument (a template or the name of one) or our own.

        Raises ValueError if there is none, or if there are several and no default among them.
        """
        own = self.chat_template
        if isinstance(own, dict):
            if chat_template is not None:
                return own.get(chat_template, chat_template)
            if tools is not None and "tool_use" in own:
                return own["tool_use"]
            if "default" in own:
                return own["default"]
            raise ValueError(
                "This model has multiple chat templates with no default specified! Please either "
                "pass a chat template or the name of the template you wish to use to the "
                f"`chat_template` argument. Available template names are {sorted(own)}."
            )
        chosen = chat_template if chat_template is not None else own
        if chosen is not None:
            return chosen
        fallback = default_template(self)
        if fallback is not None:
            self._remind(
                "default chat template",
                "No chat template is defined for this tokenizer: using the default template of "
                f"its class {type(self).__name__}. Set `tokenizer.chat_template` to be sure.",
            )
            return fallback
        raise ValueError(
            "Cannot use chat template functions because tokenizer.chat_template is not set and no "
            "template argument was passed! Set `tokenizer.chat_template` to a Jinja template, or "
            "pass one as `chat_template`."
        )

    def apply_chat_template(
        self,
        conversation: Any,
        tools: Sequence[dict[str, Any] | Callable[..., Any]] | None = None,
        documents: Sequence[dict[str, str]] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = False,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_dict: bool = False,
        return_assistant_tokens_mask: bool = False,
        tokenizer_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        """Turn a conversation into text (tokenize=False), ids, or an encoding (return_dict=True).

        conversation: a list of {"role", "content"}, or a batch of such lists.
        tools: JSON schemas, or functions with type hints and a docstring.
        continue_final_message: leave the last message open, for the model to go on with it.
        return_assistant_tokens_mask: add "assistant_masks", 1 for the tokens inside the template's
            {% generation %} blocks; needs return_dict.
        Other keywords go to the template. Raises ValueError for arguments that exclude each other,
        jinja2.TemplateError for what the template refuses.
        """
        _check_combination(
            tokenize,
            return_dict,
            return_assistant_tokens_mask,
            add_generation_prompt,
            continue_final_message,
        )
        template = self.get_chat_template(chat_template, tools)
        if return_assistant_tokens_mask and not _GENERATION.search(template):
            self._remind(
                "assistant mask",
                "return_assistant_tokens_mask=True, but the chat template does not contain "
                "`{% generation %}`: the mask will be all zeros.",
            )
        chats, batched = _as_batch(conversation)
        variables = {
            "tools": None if tools is None else [_tool_schema(tool) for tool in tools],
            "documents": _check_documents(documents),
            "add_generation_prompt": add_generation_prompt,
            **self.special_tokens_map,
            **kwargs,
        }
        texts, spans = [], []
        for chat in chats:
            text, generated = _render(template, {"messages": chat, **variables})
            texts.append(_cut_after_final(text, chat) if continue_final_message else text)
            spans.append(generated)
        rendered = texts if batched else texts[0]
        if not tokenize:
            return rendered
        encoded: BatchEncoding = self(
            rendered,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            add_special_tokens=False,
            return_tensors=return_tensors,
            **(tokenizer_kwargs or {}),
        )
        if not return_dict:
            return encoded["input_ids"]
        if return_assistant_tokens_mask:
            rows = encoded["input_ids"] if batched or return_tensors else [encoded["input_ids"]]
            masks = [_mask(encoded, row, len(ids), spans[row]) for row, ids in enumerate(rows)]
            encoded["assistant_masks"] = masks if batched else masks[0]
        return encoded


def _render(template: str, variables: dict[str, Any]) -> tuple[str, list[tuple[int, int]]]:
    try:
        from .sandbox import render
    except ImportError as error:
        raise ImportError(
            "Chat templates need jinja2: pip install minitransformers[chat]"
        ) from error
    return render(template, variables)


def _check_combination(
    tokenize: bool,
    return_dict: bool,
    return_assistant_tokens_mask: bool,
    add_generation_prompt: bool,
    continue_final_message: bool,
) -> None:
    if return_dict and not tokenize:
        raise ValueError(
            "`return_dict=True` is incompatible with `tokenize=False`, because there is no dict "
            "of tokenizer outputs to return."
        )
    if return_assistant_tokens_mask and not return_dict:
        raise ValueError(
            "`return_assistant_tokens_mask=True` is incompatible with `return_dict=False`"
        )
    if continue_final_message and add_generation_prompt:
        raise ValueError(
            "continue_final_message and add_generation_prompt are not compatible: the first lets "
            "the model go on with the last message, the second begins a new one."
        )
    if continue_final_message and return_assistant_tokens_mask:
        raise ValueError(
            "continue_final_message is not compatible with return_assistant_tokens_mask."
        )


def _as_batch(conversation: Any) -> tuple[list[Any], bool]:
    """Return the chats as lists of messages, and whether they came as a batch."""
    if not isinstance(conversation, (list, tuple)):
        chats, batched = [conversation], False
    elif not conversation:
        raise InputTypeError("The conversation is empty: it needs at least one message.")
    else:
        first = conversation[0]
        batched = isinstance(first, (list, tuple)) or hasattr(first, "messages")
        chats = list(conversation) if batched else [conversation]
    return [getattr(chat, "messages", chat) for chat in chats], batched


def _tool_schema(tool: Any) -> dict[str, Any]:
    if isinstance(tool, dict):
        return tool
    if isfunction(tool) or ismethod(tool):
        return get_json_schema(tool)
    raise ValueError(
        "Tools should either be a JSON schema, or a callable function with type hints and a "
        f"docstring suitable for auto-conversion to a schema, got {type(tool).__name__}."
    )


def _check_documents(documents: Any) -> Any:
    for document in documents or ():
        if not isinstance(document, dict):
            raise InputTypeError(
                "Documents should be a list of dicts with 'title' and 'text' keys, got "
                f"{type(document).__name__}."
            )
    return documents


def _cut_after_final(text: str, chat: Sequence[dict[str, Any]]) -> str:
    """Cut `text` behind the content of the last message."""
    content = chat[-1]["content"]
    if isinstance(content, (list, tuple)):
        content = content[-1]["text"]
    content = content.strip()
    position = text.rfind(content)
    if position < 0:
        raise ValueError(
            "continue_final_message is set, but the content of the final message does not appear "
            "in the rendered chat: the chat template changes or drops it."
        )
    return text[: position + len(content)].rstrip()


def _mask(encoded: BatchEncoding, row: int, length: int, spans: list[tuple[int, int]]) -> list[int]:
    """Return 1 for the tokens of a row that lie inside spans of characters.

    A span may begin or end with whitespace that no token holds, or be cut off by truncation.
    """
    mask = [0] * length
    for start, end in spans:
        tokens = (encoded.char_to_token(row, char) for char in range(start, end))
        first = next((token for token in tokens if token is not None), None)
        tokens = (encoded.char_to_token(row, char) for char in range(end - 1, start - 1, -1))
        last = next((token for token in tokens if token is not None), None)
        if first is None or last is None:
            continue
        mask[first : last + 1] = [1] * (last + 1 - first)
    return mask
