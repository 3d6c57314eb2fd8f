"""The model card of an adapter."""

from __future__ import annotations

import json
import os
from typing import Any


def write_card(model: Any, folder: str) -> None:
    """Write README.md into an adapter's folder, if there is none.

    model: a PeftModel. What Python would not read as one name is quoted, as YAML wants it.
    """
    path = os.path.join(folder, "README.md")
    if os.path.exists(path):
        return
    os.makedirs(folder, exist_ok=True)
    base = model.active_peft_config.base_model_name_or_path or ""
    kind = type(model).__name__
    with open(path, "w", encoding="utf-8") as file:
        known = {"fact": f"base_model: {json.dumps(base)}\n", "of": f" of {json.dumps(base)}"}
        # the Hub refuses an empty name
        file.write(_CARD.format(kind=kind, **(known if base else {"fact": "", "of": ""})))


_CARD = """---
{fact}library_name: peft
tags:
- lora
---

# Adapter

A LoRA adapter{of}. What it was trained on, its license and its limits remain to be told.

```python
from minitransformers import Auto{kind}  # or from peft, which reads the same files

model = Auto{kind}.from_pretrained("the name of this folder or repository")
```
"""
