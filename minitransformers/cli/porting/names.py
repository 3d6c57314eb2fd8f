"""Where the names of transformers, peft and sentence-transformers are in this package."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import re
import types
from dataclasses import dataclass
from typing import Any

from ...paths import HOMES
from .torch_names import TORCH

PACKAGE = "minitransformers"
ROOTS = ("transformers", "peft", "sentence_transformers")  # what this package stands in for

# Modules that exist there too; others of ours are not what they are called there.
_MODULES = ("adapters", "generation", "logging", "models", "pipelines")
# Names that another stands in for -> (its name, what to know)
_INSTEAD = {
    "PreTrainedConfig": ("PretrainedConfig", "as up to version 4"),
    "SinkCache": ("KVCache", "which every model makes itself"),
}
_ELSEWHERE = (
    (r"TF[A-Z]|Flax[A-Z]", "there is no TensorFlow and no JAX here"),
    (
        r"\w*(Image|Vision|Video|Audio|Speech|Processor|FeatureExtractor|Whisper|Wav2Vec|CLIP)",
        "pictures, sound and video are not covered",
    ),
)


@dataclass(frozen=True)
class Verdict:
    """What becomes of a name.

    status: "same" under the same path, "moved" to `target`, "instead" for something else to write
        in its place, "missing"
    target: the dotted path here, "" if it is missing
    advice: what to write, or why there is nothing
    """

    status: str
    target: str = ""
    advice: str = ""


@functools.cache
def judge(path: str) -> Verdict:
    """What a dotted path such as "transformers.models.bert.BertModel" is here."""
    root, _, rest = path.partition(".")
    if root == "torch":
        return _of_torch(path)
    parts = rest.split(".") if rest else []
    if root not in ROOTS:
        return Verdict("missing", "", f"{root} is another library")
    for target in _candidates(parts):
        if find(target) is not None:
            same = target.split(".")[1:] == parts
            return Verdict("same" if same else "moved", target, "" if same else target)
    name = next((p for p in parts if p[:1].isupper()), parts[-1])
    if name in _INSTEAD:
        other, note = _INSTEAD[name]
        return Verdict("instead", f"{PACKAGE}.{other}", f"{other}, {note}")
    bare = re.sub(r"^(TF|Flax)(?=[A-Z])", "", name)
    if bare != name and find(f"{PACKAGE}.{bare}") is not None:
        return Verdict("instead", f"{PACKAGE}.{bare}", f"{bare}, which takes and gives arrays")
    reasons = (text for pattern, text in _ELSEWHERE if re.match(pattern, name))
    return Verdict("missing", "", next(reasons, "there is nothing like it here"))


def find(path: str) -> Any:
    """The object of a dotted path in this package, None if there is none."""
    found: Any = importlib.import_module(PACKAGE)
    for name in path.split(".")[1:]:
        if isinstance(found, types.ModuleType):
            found = _in_module(found, name)
        else:
            found = inspect.getattr_static(found, name, None)
        if found is None:
            return None
    return found


def _in_module(module: types.ModuleType, name: str) -> Any:
    value = getattr(module, name, None)
    inside = f"{module.__name__}.{name}"
    if value is None and hasattr(module, "__path__") and importlib.util.find_spec(inside):
        value = importlib.import_module(inside)
    return value


def _candidates(parts: list[str]) -> list[str]:
    """Paths here at which a name may be: its own, the package's, its module's without the file.

    ["models", "bert", "modeling_bert", "BertModel"] -> also "BertModel", "models.bert.BertModel"
    """
    first = next((i for i, p in enumerate(parts) if p[:1].isupper()), len(parts) - 1)
    modules, name = parts[:first], parts[first:]
    inner = range(1, len(modules))
    homes = [modules, [], *(modules[:-n] for n in inner), *(modules[n:] for n in inner)]
    paths = [[*home, *name] for home in homes]
    public = (*_MODULES, *HOMES, *importlib.import_module(PACKAGE).__all__)
    made = ("Tokenizer", "TokenizerFast", "_available")  # names the package makes when asked
    paths = [p for p in paths if p[0] in public or p[0].endswith(made)]
    return [".".join([PACKAGE, *path]) for path in paths]


def _of_torch(path: str) -> Verdict:
    parts = path.split(".")
    for n in range(len(parts), 0, -1):  # torch.nn.Linear.x: what is known of torch.nn
        if (known := ".".join(parts[:n])) in TORCH and (n > 1 or len(parts) == 1):
            target, advice = TORCH[known]
            if not target and not advice:
                return Verdict("same")
            return Verdict("instead", target, advice or target)
    return Verdict("missing", "", "torch is not here; NumPy may have it under another name")
