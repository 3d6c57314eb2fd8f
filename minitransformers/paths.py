"""Import paths of transformers whose names are kept elsewhere here.

`from minitransformers.modeling_outputs import SequenceClassifierOutput` works as it does there: a
path of this kind becomes a module when it is first imported, and a name in it is looked for in the
package itself, then in those listed below. The files of a model (`models.bert.modeling_bert`,
`configuration_bert`, `tokenization_bert`, `tokenization_bert_fast`) need no list: they have the
names of our one file, `models.bert`.
"""

from __future__ import annotations

import importlib
import re
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

PACKAGE = "minitransformers"
_ARGUMENTS = ("training.arguments", "training.options")
_TRAINER = ("training.evaluation", "training.checkpoint", "training.callbacks", "training.state")
_UTILS = ("tokenization.strategies", "availability", "scripts")

# path there -> modules here
HOMES: dict[str, tuple[str, ...]] = {
    "cache_utils": ("core.cache", "core.dynamic_cache"),
    "configuration_utils": (),
    "data.data_collator": ("training.collators",),
    "file_utils": _UTILS,
    "generation.configuration_utils": ("generation.processors",),
    "generation.logits_process": ("generation.processors",),
    "generation.stopping_criteria": ("generation.stopping",),
    "generation.utils": ("generation.outputs",),
    "hf_argparser": (),
    "modeling_outputs": ("models.outputs",),
    "modeling_utils": (),
    "optimization": (
        "training.optim",
        "training.optim.legacy",
        "training.schedulers",
        "training.schedules",
    ),
    "testing_utils": ("scripts",),
    "tokenization_utils": _UTILS,
    "tokenization_utils_base": _UTILS,
    "tokenization_utils_fast": _UTILS,
    "trainer": (*_TRAINER, "training.trainer"),
    "trainer_callback": _TRAINER,
    "trainer_pt_utils": (
        "training.arguments_checks",
        "training.optim",
        "training.sampling",
        "training.smoothing",
    ),
    "trainer_seq2seq": (),
    "trainer_utils": (
        *_TRAINER,
        "training.columns",
        "training.metrics",
        "training.options",
        "training.schedules",
    ),
    "training_args": _ARGUMENTS,
    "training_args_seq2seq": _ARGUMENTS,
    "utils": _UTILS,
    "utils.generic": _UTILS,
    "utils.hub": ("hub",),
    "utils.import_utils": _UTILS,
    "utils.logging": ("logging",),
    "utils.quantization_config": (),
    "utils.versions": ("scripts",),
}
# names there -> module and name here, where they differ
_RENAMED = {
    "PREFIX_CHECKPOINT_DIR": ("training.checkpoint", "PREFIX"),
    "denumpify_detensorize": ("training.evaluation", "plain"),
}
_OF_A_MODEL = re.compile(r"(models\.(\w+))\.((modeling|configuration)_\2|tokenization_\2(_fast)?)")


def _homes_of(path: str) -> tuple[str, ...] | None:
    """Return the modules here whose names a path there has; None for what is no path."""
    of_a_model = _OF_A_MODEL.fullmatch(path)
    return (of_a_model[1],) if of_a_model else HOMES.get(path)


class _Path(ModuleType):
    """A module that has the public names of others."""

    def _homes(self) -> list[ModuleType]:
        names = _homes_of(self.__name__.removeprefix(f"{PACKAGE}.")) or ()
        return [importlib.import_module(f"{PACKAGE}.{home}") for home in names]

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            if name in _RENAMED:
                module, renamed = _RENAMED[name]
                return getattr(importlib.import_module(f"{PACKAGE}.{module}"), renamed)
            for home in (importlib.import_module(PACKAGE), *self._homes()):
                if hasattr(home, name):
                    return getattr(home, name)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({name for home in self._homes() for name in dir(home) if name[0] != "_"})


class Finder:
    """Finds the modules of the table, after those that are files."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        inner = name.removeprefix(f"{PACKAGE}.")
        if inner == name or _homes_of(inner) is None:
            return None
        has_more = any(other.startswith(f"{inner}.") for other in HOMES)
        return ModuleSpec(name, Finder, is_package=has_more)  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> ModuleType:
        return _Path(spec.name, f"The names of {spec.name.replace(PACKAGE, 'transformers', 1)}.")

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """There is nothing to run."""


class ModelFinder:
    """Finds the files of models, and lets their modules have others below them."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.rpartition(".")[0] != f"{PACKAGE}.models":
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _ModelLoader(spec.loader.name, spec.loader.path)
        return spec


class _ModelLoader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        # Python looks for modules below those that have a path; there are no files on this one.
        module.__path__ = []


def install() -> None:
    """Have Python ask the finders, once."""
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, ModelFinder)
        sys.meta_path.append(Finder)
