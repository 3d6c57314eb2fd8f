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
        file.write(_CARD.format(base=json.dumps(base), kind=kind))


_CARD = """---
base_model: {base}
library_name: peft
tags:
- lora
---

# Adapter

A LoRA adapter of {base}. What it was trained on, its license and its limits remain to be told.

```python
from minitransformers import Auto{kind}  # or from peft, which reads the same files

model = Auto{kind}.from_pretrained("the name of this folder or repository")
```
"""
