"""Chat templates."""

from __future__ import annotations

from typing import Any


class ChatMixin:
    chat_template: Any = None

    def _set_chat_template(self, template: Any) -> None:
        if isinstance(template, (list, tuple)):
            template = {entry["name"]: entry["template"] for entry in template}
        self.chat_template = template
