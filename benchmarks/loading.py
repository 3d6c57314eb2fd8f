"""Time opening 500 MB of float32 weights, and weigh the memory it takes, against safetensors.numpy.

    python benchmarks/loading.py [megabytes]

Each way runs in a process of its own, twice: opening the file, then reading every weight once (a
sum), as a first forward pass does. "own" is memory that only this process can hold (Private_Dirty);
"cached" is the page cache of the file (Private_Clean while this process is its only reader), which
every process with the same file shares and the system takes back when it needs the room.
"""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def memory() -> np.ndarray:
    """Memory in MB of this process: its own, cached of files. Linux only."""
    text = Path("/proc/self/smaps_rollup").read_text()
    kinds = ("Private_Dirty", "Private_Clean")
    kilobytes = [re.search(rf"{kind}:\s+(\d+) kB", text)[1] for kind in kinds]  # type: ignore[index]
    return np.array([1024 * int(count) / 1e6 for count in kilobytes])


def write_weights(path: Path, megabytes: int) -> None:
    """Write 24 layers of equal float32 matrices."""
    from minitransformers.checkpoints import write_safetensors

    rows = megabytes * 1_000_000 // (24 * 4 * 1024)
    rng = np.random.default_rng(0)
    layers = range(24)
    write_safetensors(
        path, {f"layer.{n}": rng.random((rows, 1024), dtype=np.float32) for n in layers}
    )


def measure(way: str, path: str) -> None:
    """Open the file one way and print what it took."""
    if way == "minitransformers":
        from minitransformers.checkpoints import read_safetensors

        def load() -> dict[str, np.ndarray]:
            stored = read_safetensors(path)
            return {name: tensor.numpy(np.float32) for name, tensor in stored.items()}
    else:
        from safetensors.numpy import load_file

        def load() -> dict[str, np.ndarray]:
            return load_file(path)

    before = memory()
    start = time.perf_counter()
    weights = load()
    opened = time.perf_counter()
    held = memory() - before
    for array in weights.values():
        array.sum()
    read = time.perf_counter()
    held_after = memory() - before
    for step, seconds, (own, cached) in (
        ("open", opened - start, held),
        ("read", read - opened, held_after),
    ):
        took = f"{1e3 * seconds:7.1f} ms, {own:6.1f} MB own, {cached:6.1f} MB cached"
        print(f"{way:18} {step} {took}")


def main() -> None:
    if len(sys.argv) == 3:
        return measure(*sys.argv[1:])
    megabytes = int(sys.argv[1]) if len(sys.argv) == 2 else 500
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        write_weights(path, megabytes)
        for way in 2 * ["minitransformers", "safetensors.numpy"]:
            subprocess.run([sys.executable, __file__, way, str(path)], check=True)


if __name__ == "__main__":
    main()
