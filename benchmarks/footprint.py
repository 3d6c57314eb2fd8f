"""What it costs to have the library: install size, import time, the one-line program.

    python benchmarks/footprint.py

Sizes are of the files of the packages in this environment that minitransformers needs; times are
medians of seven fresh processes.
"""

from __future__ import annotations

import importlib.metadata
import os
import statistics
import subprocess
import sys
import time

PROGRAMS = {
    "python": "pass",
    "import numpy": "import numpy",
    "import minitransformers": "import minitransformers",
    "first token": (
        "from minitransformers import pipeline\n"
        "pipeline('text-generation', 'minitransformers/tiny-gpt2')('To be', max_new_tokens=1)"
    ),
}


def installed() -> dict[str, float]:
    """{distribution: MB}, with everything the needed ones need"""
    sizes: dict[str, float] = {}
    waiting = ["minitransformers"]
    while waiting:
        name = waiting.pop()
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        key = distribution.metadata["Name"].lower().replace("_", "-")
        if key in sizes:
            continue
        files = [file.locate() for file in distribution.files or []]
        sizes[key] = sum(os.path.getsize(f) for f in files if os.path.exists(f)) / 1e6
        for requirement in distribution.requires or []:
            if "extra ==" not in requirement:
                waiting.append(requirement.split(";")[0].split("[")[0].split("<")[0].split(">")[0]
                               .split("=")[0].split("!")[0].split("~")[0].strip())  # fmt: skip
    return sizes


def seconds(program: str, runs: int = 7) -> float:
    """The median time of a fresh process."""
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    sizes = installed()
    print(f"installed: {sum(sizes.values()):.0f} MB in {len(sizes)} packages, of which")
    for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
        print(f"  {size:6.1f} MB  {name}")
    for name, program in PROGRAMS.items():
        print(f"{1000 * seconds(program):6.0f} ms  {name}")


if __name__ == "__main__":
    main()
