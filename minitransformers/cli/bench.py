"""`minitransformers bench`"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from . import common

HELP = "measure a model here: tokens a second, beside torch where it is installed"
EXAMPLES = (
    "minitransformers bench",
    "minitransformers bench --model openai-community/gpt2 --prompt-tokens 512 --new-tokens 64",
    "minitransformers bench --model org/encoder --batch-size 8 --threads 2 --json",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="minitransformers/tiny-gpt2",
        help="folder, Hub id or .gguf file (default: %(default)s)",
    )
    for name, default in (
        *(("prompt-tokens", 128), ("new-tokens", 32)),
        *(("batch-size", 1), ("repeat", 3)),
    ):
        parser.add_argument(
            f"--{name}",
            type=common.positive,
            default=default,
            metavar="N",
            help="default: %(default)s",
        )
    parser.add_argument("--no-torch", action="store_true", help="leave torch out of it")
    common.add_model_options(parser)


def run(options: argparse.Namespace) -> None:
    """Each library reads a prompt of random tokens, then goes on; medians over the repetitions."""
    rows = [_here(options)]
    if not options.no_torch and all(map(importlib.util.find_spec, ("torch", "transformers"))):
        rows.append(_torch(options))
    if options.json:
        for row in rows:
            common.print_json(row)
        return
    for number, row in enumerate(rows):
        print("\n" * bool(number), end="")
        common.print_facts(row)


def _here(options: argparse.Namespace) -> dict[str, Any]:
    import numpy as np

    from .. import __version__
    from ..core.threads import get_num_threads
    from .convert import class_of

    keywords = common.where(options) | common.precision(options)
    start = time.perf_counter()
    chosen = class_of(options.model, common.where(options))
    model = chosen.from_pretrained(options.model, **keywords)
    facts = {
        "library": f"minitransformers {__version__}",
        "class": type(model).__name__,
        "parameters": model.num_parameters(),
        "threads": get_num_threads(),
        "load_seconds": time.perf_counter() - start,
    }
    ids = _ids(model.config, options)
    return facts | _speeds(model, ids, options, np.ones_like(ids))


def _torch(options: argparse.Namespace) -> dict[str, Any]:
    """The same with the class of that name in transformers, or a word why it cannot be."""
    import torch
    import transformers

    from ..core.threads import get_num_threads
    from .convert import class_of

    facts: dict[str, Any] = {
        "library": f"torch {torch.__version__}, transformers {transformers.__version__}"
    }
    if options.quantize:
        return facts | {"skipped": "it quantises on a GPU only"}
    torch.set_num_threads(get_num_threads())
    transformers.logging.set_verbosity_error()
    start = time.perf_counter()
    name = class_of(options.model, common.where(options)).__name__
    source = _bundled(options.model)
    try:
        with torch.no_grad():
            model = getattr(transformers, name).from_pretrained(source, **common.where(options))
            model = model.float().eval()
            facts |= {
                "class": name,
                "parameters": model.num_parameters(),
                "threads": torch.get_num_threads(),
                "load_seconds": time.perf_counter() - start,
            }
            ids = torch.from_numpy(_ids(model.config, options))
            return facts | _speeds(model, ids, options, torch.ones_like(ids))
    except Exception as error:  # of a library that is a guest here, whatever it does
        return facts | {"skipped": " ".join(f"{type(error).__name__}: {error}".split())}


def _bundled(name: str) -> str:
    from .. import hub

    return hub.BUNDLED.get(name, name)


def _ids(config: Any, options: argparse.Namespace) -> Any:
    """Random tokens, the same for both. -> (batch, seq)"""
    import numpy as np

    shape = (options.batch_size, options.prompt_tokens)
    return np.random.default_rng(0).integers(0, config.vocab_size, shape)


def _speeds(model: Any, ids: Any, options: argparse.Namespace, mask: Any) -> dict[str, Any]:
    """Tokens a second, of all rows together. ids, mask: (batch, seq) arrays of either library"""
    rows, length = ids.shape
    speeds: dict[str, Any] = {"rows": rows, "prompt_tokens": length}
    if not model.can_generate():
        seconds = _median(lambda: model(input_ids=ids, attention_mask=mask), options.repeat)
        return speeds | {"tokens_per_second": rows * length / seconds} | _memory()

    def generate(n: int) -> Callable[[], Any]:
        fixed = {"min_new_tokens": n, "max_new_tokens": n, "do_sample": False, "num_beams": 1}
        pad = {"pad_token_id": 0}
        return lambda: model.generate(ids, attention_mask=mask, **fixed, **pad)

    first = _median(generate(1), options.repeat)
    speeds["prompt_tokens_per_second"] = rows * length / first
    if options.new_tokens > 1:
        whole = _median(generate(options.new_tokens), options.repeat)
        steps = options.new_tokens - 1
        speeds["new_tokens"] = options.new_tokens
        speeds["new_tokens_per_second"] = rows * steps / max(whole - first, 1e-9)
    return speeds | _memory()


def _median(work: Callable[[], Any], repeat: int) -> float:
    """Seconds of one run, after one that does not count."""

    def seconds() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    seconds()
    return median(seconds() for _ in range(repeat))


def _memory() -> dict[str, int]:
    """The most that the process has taken so far, where the system says."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"peak_memory_bytes": peak if sys.platform == "darwin" else peak * 1024}
