"""Chat templates that classes had of their own up to version 4.38; tutorials rely on them."""

from __future__ import annotations

from typing import Any

_CONTENT_AND_EOS = "{% for message in messages %}{{ message.content }}{{ eos_token }}{% endfor %}"

_BLENDERBOT = (
    "{% for message in messages %}"
    "{{ ' ' if message['role'] == 'user' else '' }}{{ message['content'] }}"
    "{{ '' if loop.last else '  ' }}"
    "{% endfor %}"
    "{{ eos_token }}"
)

# Llama 2: the system message goes into the first turn, and turns must alternate.
_LLAMA = (
    "{% set system = messages[0]['content'] if messages[0]['role'] == 'system' else none %}"
    "{% set turns = messages if system is none else messages[1:] %}"
    "{% for message in turns %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}"
    "{% endif %}"
    "{% set before = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n'"
    " if loop.first and system is not none else '' %}"
    "{% set content = (before + message['content']).strip() %}"
    "{% if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + content + ' [/INST]' }}"
    "{% elif message['role'] == 'system' %}"
    "{{ '<<SYS>>\\n' + content + '\\n<</SYS>>\\n\\n' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{{ ' ' + content + ' ' + eos_token }}"
    "{% endif %}"
    "{% endfor %}"
)

DEFAULT_TEMPLATES = {
    "Blenderbot": _BLENDERBOT,
    "Bloom": _CONTENT_AND_EOS,
    "CodeLlama": _LLAMA,
    "GPT2": _CONTENT_AND_EOS,
    "GPTNeoX": _CONTENT_AND_EOS,
    "Llama": _LLAMA,
    "Whisper": _CONTENT_AND_EOS,
}


def default_template(tokenizer: Any) -> str | None:
    """Return the default template of a tokenizer's class, None if it has none."""
    name = type(tokenizer).__name__.removesuffix("Fast").removesuffix("Tokenizer")
    return DEFAULT_TEMPLATES.get(name)
