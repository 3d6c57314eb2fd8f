"""What is compared: a process each, which times one work whenever it is told to.

    python -m speed.contestants NAME CACHE SECONDS [THREADS]

reads names of works from its input, one a line, and prints a JSON object for each: seconds of a
run, the median of as many as take SECONDS, and MB of memory - its own (no file's), the most there
was of any while it ran, and how much of that was not there before (activations) - or why it cannot
do the work.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from .works import WORKS, Work, inputs


class Contestant:
    """The base. `prepare(work)` gives what one run calls; models are kept between works."""

    def __init__(self, cache: Path, threads: int | None):
        self.cache, self.threads = cache, threads
        self.models: dict[Any, Any] = {}

    def versions(self) -> dict[str, str]:
        raise NotImplementedError

    def load(self, work: Work) -> Any:
        raise NotImplementedError

    def prepare(self, work: Work) -> Callable[[], Any]:
        raise NotImplementedError

    def model(self, work: Work) -> Any:
        key = (work.model, work.kind)
        if key not in self.models:
            self.models = {key: self.load(work)}  # one at a time: the machine may be small
        return self.models[key]


class Minitransformers(Contestant):
    def __init__(self, cache: Path, threads: int | None):
        super().__init__(cache, threads)
        import minitransformers

        if threads:
            minitransformers.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        import numpy as np

        import minitransformers

        return {"minitransformers": minitransformers.__version__, "numpy": np.__version__}

    def load(self, work: Work) -> Any:
        import minitransformers

        from .checkpoints import MODELS

        ways: dict[str, dict[str, Any]] = {
            "bfloat16": {"dtype": "bfloat16"},
            "int8": {"load_in_8bit": True},
            "int4": {"load_in_4bit": True},
        }
        kind = getattr(minitransformers, MODELS[work.model][0])
        return kind.from_pretrained(self.cache / work.model, **ways.get(work.kind, {}))

    def prepare(self, work: Work) -> Callable[[], Any]:
        import numpy as np

        if work.task == "train":
            from minitransformers.training.optim import AdamW

            return _step(self.model(work), work, AdamW, np.array)
        return _of_the_api(self.model(work), work, np.array(inputs(work)), np.ones)


class Transformers(Contestant):
    def __init__(self, cache: Path, threads: int | None):
        super().__init__(cache, threads)
        import torch

        if threads:
            torch.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        import torch
        import transformers

        return {"transformers": transformers.__version__, "torch": torch.__version__}

    def load(self, work: Work) -> Any:
        import transformers

        from .checkpoints import MODELS

        if work.kind.startswith("int"):
            raise NotImplementedError("not on a CPU")
        kind = getattr(transformers, MODELS[work.model][0])
        how = {"torch_dtype": "bfloat16"} if work.kind == "bfloat16" else {}
        return kind.from_pretrained(self.cache / work.model, **how)

    def prepare(self, work: Work) -> Callable[[], Any]:
        import torch

        torch.set_grad_enabled(work.task == "train")
        if work.task == "train":
            return _step(self.model(work), work, torch.optim.AdamW, torch.tensor)
        return _of_the_api(self.model(work), work, torch.tensor(inputs(work)), torch.ones)


def _of_the_api(model: Any, work: Work, ids: Any, ones: Callable) -> Callable[[], Any]:
    """Both have the same interface."""
    if work.task == "generate":
        model.generation_config.pad_token_id = 0
    mask = ones(tuple(ids.shape)) > 0
    if work.task == "generate":
        how = {"min_new_tokens": work.new, "max_new_tokens": work.new, "do_sample": False}
        return lambda: model.generate(ids, attention_mask=mask, **how, **work.options)
    if work.task == "encode":
        return lambda: model.get_encoder()(ids, attention_mask=mask)
    return lambda: model(ids, attention_mask=mask)


def _step(model: Any, work: Work, optimiser: Any, array: Callable) -> Callable[[], Any]:
    """A step of training, the same lines with both."""
    ids = array(inputs(work))
    labels = ids if work.model == "gpt2" else array([i % 2 for i in range(len(ids))])
    model.train()
    optimiser = optimiser(model.parameters(), lr=1e-5)

    def step() -> None:
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


class CTranslate2(Contestant):
    def versions(self) -> dict[str, str]:
        import ctranslate2

        return {"ctranslate2": ctranslate2.__version__}

    def load(self, work: Work) -> Any:
        import ctranslate2

        if work.task == "train" or work.kind == "int4":
            raise NotImplementedError("no training, no 4-bit weights on a CPU")
        folder = self.cache / f"{work.model}-ctranslate2-{work.kind}"
        if not folder.exists():
            raise NotImplementedError(f"{folder} is missing: see convert_ctranslate2")
        kind = {"gpt2": "Generator", "llama": "Generator", "t5": "Translator", "bert": "Encoder"}
        threads = {"intra_threads": self.threads} if self.threads else {}
        return getattr(ctranslate2, kind[work.model])(
            str(folder), device="cpu", compute_type=work.kind, inter_threads=1, **threads
        )

    def prepare(self, work: Work) -> Callable[[], Any]:
        if "prompt_lookup_num_tokens" in work.options or work.task == "encode":
            raise NotImplementedError("not in this library")
        model = self.model(work)
        rows = inputs(work)
        if work.model == "bert":
            return lambda: model.forward_batch(rows)
        prompts = [[f"t{n}" for n in row] for row in rows]
        how = {"beam_size": work.options.get("num_beams", 1), "return_scores": False}
        if work.model == "t5":
            return lambda: model.translate_batch(
                prompts, max_decoding_length=work.new, min_decoding_length=work.new, **how
            )
        return lambda: model.generate_batch(
            prompts, max_length=work.new, min_length=work.new, include_prompt_in_result=False, **how
        )


class Onnxruntime(Contestant):
    def versions(self) -> dict[str, str]:
        import onnxruntime

        return {"onnxruntime": onnxruntime.__version__}

    def load(self, work: Work) -> Any:
        import onnxruntime

        file = self.cache / "bert.onnx"
        if work.model != "bert" or not file.exists():
            raise NotImplementedError("BERT only, from bert.onnx: see convert_onnx")
        options = onnxruntime.SessionOptions()
        if self.threads:
            options.intra_op_num_threads = self.threads
        return onnxruntime.InferenceSession(str(file), options, ["CPUExecutionProvider"])

    def prepare(self, work: Work) -> Callable[[], Any]:
        import numpy as np

        session = self.model(work)
        ids = np.array(inputs(work))
        feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        return lambda: session.run(None, feed)


CONTESTANTS = {
    "minitransformers": Minitransformers,
    "torch": Transformers,
    "ctranslate2": CTranslate2,
    "onnxruntime": Onnxruntime,
}


def at_once(call: Callable[[], Any], callers: int) -> Callable[[], Any]:
    """The same call on several threads."""
    if callers == 1:
        return call

    def all_of_them() -> None:
        with ThreadPoolExecutor(callers) as pool:
            for done in [pool.submit(call) for _ in range(callers)]:
                done.result()

    return all_of_them


def memory(kind: str) -> float:
    """MB of this process that no file backs ("Anonymous"), or a field of /proc/self/status."""
    source = "smaps_rollup" if kind == "Anonymous" else "status"
    found = re.search(rf"{kind}:\s+(\d+) kB", Path(f"/proc/self/{source}").read_text())
    return 1024 * int(found[1]) / 1e6 if found else float("nan")


def seconds_of(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def middle_of(call: Callable[[], Any], *first: float, seconds: float = 1.0) -> float:
    """The median of the seconds of as many runs as take `seconds`, the first ones among them."""
    runs = list(first) or [seconds_of(call)]
    while sum(runs) < seconds:
        runs.append(seconds_of(call))
    return statistics.median(runs)


def give_back() -> None:
    """Freed memory goes back to the system, so that what a run takes anew can be seen."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def main() -> None:
    name, cache, seconds, *threads = sys.argv[1:]
    contestant = CONTESTANTS[name](Path(cache), int(threads[0]) if threads else None)
    print(json.dumps(contestant.versions()), flush=True)
    prepared: tuple[str, Any] = ("", None)
    for line in sys.stdin:
        key = line.strip()
        try:
            if prepared[0] != key:
                call = contestant.prepare(WORKS[key])
                prepared = (key, at_once(call, WORKS[key].callers))
                prepared[1]()  # once before it counts
            give_back()
            resting = memory("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # the highest memory, from now on
            first = seconds_of(prepared[1])
            answer: dict[str, Any] = {"own": memory("Anonymous"), "peak": memory("VmHWM")}
            answer["activations"] = answer["peak"] - resting
            answer["seconds"] = middle_of(prepared[1], first, seconds=float(seconds))
        except Exception as error:  # a rival that cannot do one work goes on with the next
            answer = {"why": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
