"""What mkdocs does to pages before it reads them.

- `<!-- names: generation.* -->` becomes the reference of the public names in these modules.
- `<!-- file: benchmarks/speed/results.md -->` becomes that file of the repository, if it is there.
- Links to files outside docs/, which a site does not have, become their text.
"""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import minitransformers
from minitransformers import _PUBLIC

ROOT = Path(__file__).parents[1]
# patterns of modules -> how much of each class is shown
_MEMBERS = {"models.*": "false", "pipelines.*": "false"}
_OPEN = ("Auto", "PreTrained", "Pretrained", "Pipeline", "SentenceTransformer")  # but of these all


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    markdown = re.sub(r"<!-- names: (.*?) -->", lambda m: reference(m[1].split()), markdown)
    markdown = re.sub(r"<!-- file: (\S+) -->", lambda m: included(m[1]), markdown)
    return re.sub(r"\[([^\]]+)\]\(\.\./(?!\w+\.md)[^)]*\)", r"\1", markdown)


def modules_of(patterns: list[str]) -> list[str]:
    """Modules with public names that fit; a pattern that begins with ! takes away."""
    chosen: dict[str, None] = {}
    for pattern in patterns:
        for module in _PUBLIC:
            if pattern.startswith("!") and fnmatch(module, pattern[1:]):
                chosen.pop(module, None)
            elif fnmatch(module, pattern):
                chosen[module] = None
    return list(chosen)


def reference(patterns: list[str]) -> str:
    lines = []
    for module in modules_of(patterns):
        for name in filter(is_ours, _PUBLIC[module]):
            lines.append(f"::: minitransformers.{module}.{name}")
            whole = next((m for p, m in _MEMBERS.items() if fnmatch(module, p)), None)
            if whole and not name.startswith(_OPEN):
                lines += ["    options:", f"      members: {whole}"]
            lines.append("")
    return "\n".join(lines)


def is_ours(name: str) -> bool:
    """Whether a public name is not another library's, such as AddedToken."""
    return getattr(getattr(minitransformers, name), "__module__", "minitransformers").startswith(
        "minitransformers"
    )


def included(name: str) -> str:
    path = ROOT / name
    if path.is_file():  # a site has no notebooks to link to
        return re.sub(r"\[([^\]]+)\]\(\w+\.ipynb\)", r"\1", path.read_text(encoding="utf-8"))
    return f"(`{name}` is not there yet: it is written by the benchmark.)"
