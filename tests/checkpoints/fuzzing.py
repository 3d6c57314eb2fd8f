"""Load mutated files of every format and hold the readers to their word.

    python tests/checkpoints/fuzzing.py [--files 20000] [--seed 0] [--format torch_zip ...]

Whatever a file holds, loading it ends soon, in a correct load or in one ValueError or OSError that
names the file; nothing of it runs; memory stays below the file's size and a constant. The default
test suite loads a few hundred files of each format, `pytest -m fuzz` and this command 20,000.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import tempfile
import time
import tracemalloc
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import mutations
from mutations import Rng
from tiny import CONFIGS, fill

import minitransformers
from minitransformers import checkpoints, hub
from minitransformers.checkpoints.torch_writer import write_torch
from minitransformers.core.threads import prepare_blas

GOLDEN = HERE.parent / "golden"
CONSTANT = 300e6  # bytes of memory beyond a file's size: what deflated entries may take, and change
_ADDRESSES = 12 << 30  # with those of libraries and threads
SECONDS = 120  # a thousand layers that a file lacks take some, traced on a busy machine
_HARMLESS = ("os.listdir", "os.scandir", "os.walk")
_IMPORTED = (os.path.dirname(os.__file__), os.path.dirname(minitransformers.__file__))
_EXECUTION = ("exec", "compile", "os.", "subprocess.", "pickle.", "socket.", "shutil.", "ctypes.")
_SURVEYED = 100_000  # elements: larger tensors are not read but for their ends


class Format(NamedTuple):
    """A format under test.

    path: where a mutated file is written; seeds: sound ones; mutate: of one of these
    load: reads it, raising one of `errors` if it is broken; named: whether these name the file
    judge: raises if what was loaded is wrong
    """

    path: Path
    seeds: list[bytes]
    mutate: Callable[[bytes, Rng], bytes]
    load: Callable[[], Any]
    judge: Callable[[bytes, Any], None] = lambda data, loaded: None
    errors: tuple[type[Exception], ...] = (ValueError, OSError)
    named: bool = True


class Report(NamedTuple):
    """What loading many files came to."""

    files: int
    loaded: int
    reasons: Counter
    seconds: float
    slowest: float
    memory: int

    def __str__(self) -> str:
        return (
            f"{self.files:6} files, {self.loaded:5} load, {len(self.reasons):3} kinds of errors; "
            f"{self.seconds:.0f} s, slowest {self.slowest:.2f} s; memory {self.memory / 1e6:.1f} MB"
        )


def fuzz(make: Callable[[Path], Format], folder: Path, files: int, seed: int = 0) -> Report:
    """Load `files` mutated files. Raises AssertionError where a reader breaks its word."""
    case = make(folder)
    for data in case.seeds:  # sound files load, and what is imported late is imported
        case.path.write_bytes(data)
        case.judge(data, case.load())
    rng = np.random.default_rng(seed)
    reasons: Counter = Counter()
    loaded, slowest, most = 0, 0.0, 0
    begin, resident = time.perf_counter(), _most_resident()
    for n in range(files):
        data = case.mutate(mutations.one_of(rng, case.seeds), rng)
        case.path.write_bytes(data)
        start = time.perf_counter()
        # tracing is slow
        with _nothing_runs(case.path), _limited(), _traced(n % 4 == 0) as taken:
            try:
                result, error = case.load(), None
            except case.errors as caught:
                result, error = None, caught
            except BaseException as caught:
                raise AssertionError(f"file {n} of seed {seed}: {caught!r}") from caught
        slowest = max(slowest, time.perf_counter() - start)
        most = max(most, taken[0] - len(data))
        where = f"file {n} of seed {seed}: {error!r}"[:1000]
        assert slowest < SECONDS, where
        assert most < CONSTANT, f"{where} took {most} bytes"
        if error is None:
            loaded += 1
            case.judge(data, result)
        else:
            named = str(folder) in str(error) or case.path.name in str(error)
            if case.named and not named:
                raise AssertionError(where) from error
            assert "MemoryError" not in str(error), where
            str(error).encode()  # printable
            reasons[_kind(error)] += 1
        del result, error
    assert _most_resident() - resident < CONSTANT
    return Report(files, loaded, reasons, time.perf_counter() - begin, slowest, most)


@contextlib.contextmanager
def _traced(wanted: bool) -> Iterator[list[int]]:
    """[the most bytes that Python and NumPy held within]; 0 if it is not wanted"""
    taken = [0]
    if wanted:
        tracemalloc.start()
    try:
        yield taken
    finally:
        if wanted:
            taken[0] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Let an allocation of gigabytes raise MemoryError, lest this machine runs out."""
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESSES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _most_resident() -> int:
    """The most memory this process has had, in bytes; 0 where that is not told."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def _kind(error: Exception) -> str:
    """The line that refused."""
    while error.__cause__ is not None:
        error = error.__cause__  # type: ignore[assignment]
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace else None
    return f"{code.co_name}:{trace.tb_lineno}" if code and trace else ""


class Execution(BaseException):
    """A file reached beyond itself. No handler of the code under test may catch it."""


_watch: list[str] = []


def _hook(event: str, arguments: tuple) -> None:
    if not _watch or event in _HARMLESS or _is_import(event, arguments):
        return
    told = f"{event} {arguments!r} while loading {_watch[0]}"
    if event.startswith(_EXECUTION):
        raise Execution(told)
    if event == "open" and isinstance(arguments[0], str):
        path = Path(arguments[0]).resolve()
        inside = path.is_relative_to(Path(_watch[0]).parent.resolve())
        if not inside and path.suffix not in (".py", ".pyc", ".so"):
            raise Execution(told)


def _is_import(event: str, arguments: tuple) -> bool:
    """Whether a module of the standard library or of this package is imported late."""
    code = arguments[0] if event == "exec" else None
    return getattr(code, "co_name", "") == "<module>" and code.co_filename.startswith(_IMPORTED)


@contextlib.contextmanager
def _nothing_runs(path: Path) -> Iterator[None]:
    """Refuse to run code, or to open files elsewhere."""
    prepare_blas()  # reads the system's limits, once
    if not getattr(sys, "_fuzz_hook", False):
        sys._fuzz_hook = True  # type: ignore[attr-defined]  # a hook cannot be taken back
        sys.addaudithook(_hook)
    _watch.append(str(path))
    try:
        yield
    finally:
        _watch.clear()


# formats


def _survey(tensors: Mapping[str, Any]) -> None:
    """Read every tensor as a model would; of a giant one, which strides allow, the ends."""
    for tensor in tensors.values():
        assert tensor.shape == tuple(tensor.data.shape)
        data = tensor.data
        if data.size > _SURVEYED:
            for end in (0, -1):
                data[tuple(end for _ in data.shape)]
        else:
            with np.errstate(all="ignore"):
                values = tensor.numpy(None)
                assert values.shape == tensor.shape
                values.sum()


def safetensors(folder: Path) -> Format:
    path = folder / "model.safetensors"
    small = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.array([True]),
        "c": np.int8(3),
    }
    checkpoints.write_safetensors(path, {**small, "e": np.zeros((0, 4), np.float16)})
    seeds = [path.read_bytes(), (GOLDEN / "dtypes.safetensors").read_bytes()]

    def mutate(data: bytes, rng: Rng) -> bytes:
        size = int.from_bytes(data[:8], "little")
        if rng.random() < 0.3:
            return mutations.corrupt(data, rng, (0, 8 + size) if rng.random() < 0.7 else None)
        header = mutations.change_json(json.loads(data[8 : 8 + size]), rng)
        return len(header).to_bytes(8, "little") + header + data[8 + size :]

    def judge(data: bytes, loaded: Mapping[str, Any]) -> None:
        """The format's own library accepts it, with the same bits (aliases are ours)."""
        from safetensors import deserialize

        theirs = dict(deserialize(data))
        assert theirs.keys() <= loaded.keys()
        for name, tensor in theirs.items():
            assert list(loaded[name].shape) == tensor["shape"]
            assert loaded[name].data.tobytes() == tensor["data"]
        _survey(loaded)

    return Format(path, seeds, mutate, lambda: checkpoints.read_safetensors(path), judge)


def _torch(folder: Path, names: list[str], mutate: Any) -> Format:
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(GOLDEN / "torch_bin.zip") as archive:
        seeds = [archive.read(f"{name}.bin") for name in names]
    return Format(
        path,
        seeds,
        mutate,
        lambda: checkpoints.read_torch_bin(path),
        lambda data, loaded: _survey(loaded),
    )


def torch_zip(folder: Path) -> Format:
    case = _torch(folder, ["zip2", "zip4", "big", "mixed", "model"], mutations.change_archive)
    write_torch(case.path, {"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
    return case._replace(seeds=[*case.seeds, case.path.read_bytes()])


def torch_legacy(folder: Path) -> Format:
    def mutate(data: bytes, rng: Rng) -> bytes:
        if rng.random() < 0.8:
            return mutations.change_pickle(data, rng)
        return mutations.corrupt(data, rng)

    return _torch(folder, ["legacy1", "legacy2", "legacy4", "legacy5"], mutate)


def shard_index(folder: Path) -> Format:
    weights = {f"layer.{n}": np.full(10, n, np.float32) for n in range(5)}
    checkpoints.save_sharded(folder, weights, 100)
    path = folder / "model.safetensors.index.json"
    seed = path.read_bytes()

    def judge(data: bytes, loaded: Mapping[str, Any]) -> None:
        for name, tensor in loaded.items():
            assert tensor.numpy().tobytes() == weights[name].tobytes()

    return Format(
        path,
        [seed],
        lambda data, rng: mutations.change_json(json.loads(data), rng),
        lambda: checkpoints.open_checkpoint(hub.resolve(folder)),
        judge,
    )


def config(folder: Path, *, kinds: tuple[str, ...] = ("bert", "gpt2", "t5", "llama")) -> Format:
    """config.json beside sound weights, of which each mutated one may belong to another model."""
    seeds = []
    for kind in kinds:
        model = fill(
            minitransformers.AutoModel.from_config(
                minitransformers.AutoConfig.for_model(kind, **CONFIGS[kind])
            )
        )
        model.save_pretrained(folder)
        seeds.append((folder / "config.json").read_bytes())
    path = folder / "config.json"
    return Format(
        path,
        seeds[-1:],
        lambda data, rng: mutations.change_json(json.loads(mutations.one_of(rng, seeds)), rng),
        lambda: minitransformers.AutoModel.from_pretrained(folder),
        errors=(ValueError, OSError, RuntimeError),  # of shapes that do not fit, as the reference
    )


def gguf(folder: Path) -> Format:
    """Models of several architectures: the configuration, every tensor, the tokenizer if any."""
    from gguf_files import write_model

    path = folder / "model.gguf"
    seeds = []
    for case, kind in (("llama", "F32"), ("gpt2", "Q8_0"), ("qwen2", "Q4_0")):
        seeds.append(write_model(path, case, kind).read_bytes())

    def mutate(data: bytes, rng: Rng) -> bytes:
        head = data.find(b"general.architecture"), min(len(data), 4000)
        return mutations.corrupt(data, rng, (0, head[1]) if rng.random() < 0.8 else None)

    return Format(path, seeds, mutate, lambda: minitransformers.AutoModel.from_pretrained(path),
                  errors=(ValueError, OSError, RuntimeError))  # fmt: skip


def adapter_config(folder: Path) -> Format:
    """adapter_config.json beside a sound adapter, put on a sound model."""
    model = fill(minitransformers.GPT2LMHeadModel(minitransformers.GPT2Config(**CONFIGS["gpt2"])))
    model.save_pretrained(folder / "base")
    config = minitransformers.LoraConfig(
        r=2, target_modules=["c_attn"], layers_to_transform=[0], rank_pattern={"h.0": 2},
        alpha_pattern={"h.0": 3}, modules_to_save=None, task_type="CAUSAL_LM",
    )  # fmt: skip
    adapted = minitransformers.get_peft_model(model, config)
    adapted.peft_config["default"].base_model_name_or_path = str(folder / "base")
    adapted.save_pretrained(folder)
    path = folder / "adapter_config.json"

    def load() -> Any:
        base = minitransformers.GPT2LMHeadModel.from_pretrained(folder / "base")
        return minitransformers.PeftModel.from_pretrained(base, folder)

    return Format(
        path,
        [path.read_bytes()],
        lambda data, rng: mutations.change_json(json.loads(data), rng),
        load,
        errors=(ValueError, OSError, RuntimeError),
        named=False,  # what does not fit the model is said of the model
    )


FORMATS = {
    "safetensors": safetensors,
    "torch_zip": torch_zip,
    "torch_legacy": torch_legacy,
    "shard_index": shard_index,
    "config": config,
    "adapter_config": adapter_config,
    "gguf": gguf,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--format", action="append", choices=FORMATS, help="by default, every one")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reasons", action="store_true", help="list where files were refused")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    for name in options.format or FORMATS:
        with tempfile.TemporaryDirectory() as folder:
            report = fuzz(FORMATS[name], Path(folder), options.files, options.seed)
        print(f"{name:13} {report}", flush=True)
        if options.reasons:
            for reason, count in report.reasons.most_common():
                print(f"{count:8} {reason}")


if __name__ == "__main__":
    main()
