"""Time the table and write results.md.

    PYTHONPATH=benchmarks python -m speed [--rounds N] [--threads N] [--only WORK ...]
        [--rivals [NAME ...]] [--python PATH] [--cache FOLDER] [--compare [RESULTS.json]] [--write]
    PYTHONPATH=benchmarks python -m speed --smoke

Every contestant that is installed runs in a process of its own, and they take turns of a second at
least, so that a busy machine slows all of them. What counts are ratios of medians, with the spread
of the ratios of single rounds. --python names the interpreter of the rivals, where they are not
installed beside this library. --compare shows what changed against earlier ratios, those that are
stored here unless it names others; --write stores results.md and results.json beside this file.
--smoke runs every work, with tiny models, to see that it can.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .checkpoints import folder
from .contestants import CONTESTANTS
from .works import WORKS

HERE = Path(__file__).parent
MEMORY = ("peak", "activations")  # columns that torch's figure stands in as well


class Process:
    """A contestant, or the reason why there is none."""

    def __init__(self, name: str, python: str, options: argparse.Namespace):
        self.name = name
        command = [python, "-m", "speed.contestants", name, str(options.cache)]
        command.append("0" if options.smoke else "1")
        if options.threads:
            command.append(str(options.threads))
        paths = [str(HERE.parent), str(HERE.parent.parent), os.environ.get("PYTHONPATH", "")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.versions: dict[str, str] = json.loads(self.process.stdout.readline() or "{}")

    def run(self, work: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline() or '{"why": "the process ended"}')

    def close(self) -> None:
        self.process.communicate()


def measure(
    processes: list[Process], base: Process, works: list[str], rounds: int
) -> dict[str, Any]:
    """Take turns. A work that is measured against another of ours has that as a contestant.

    base: does those others
    -> {work: {contestant: {"seconds": [...], "own", "peak"} or {"why"}}}
    """
    found: dict[str, Any] = {}
    for work in works:
        turns = [(p.name, p, work) for p in processes]
        if (other := WORKS[work].against) in WORKS:
            turns.append((other, base, other))
        row = found[work] = {name: {"seconds": []} for name, _, _ in turns}
        for _ in range(rounds):
            for name, process, task in turns:
                if "why" in row[name]:
                    continue
                answer = process.run(task)
                if "why" in answer:
                    row[name] = answer
                else:
                    seconds = row[name]["seconds"] + [answer.pop("seconds")]
                    row[name] = answer | {"seconds": seconds}
        print(line(work, row), flush=True)
    return found


def line(work: str, row: dict[str, Any]) -> str:
    cells = []
    for name, answer in row.items():
        if answer.get("seconds"):
            cells.append(f"{name} {1e3 * statistics.median(answer['seconds']):.1f} ms")
    return f"{WORKS[work].title}: " + ", ".join(cells)


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """How many times faster we are: of the medians, and the least and greatest of a round."""
    single = sorted(b / a for a, b in zip(ours, theirs))
    return statistics.median(theirs) / statistics.median(ours), single[0], single[-1]


def table(found: dict[str, Any], names: list[str]) -> tuple[str, dict[str, float]]:
    """The table in Markdown, and {work/rival: ratio}."""
    rivals = names[1:]
    head = ["work", "minitransformers", *rivals, "wanted", "own memory", *MEMORY]
    rows, ratios = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)], {}
    for key, row in found.items():
        work, ours = WORKS[key], row["minitransformers"]
        if not ours.get("seconds"):
            rows.append(f"| {work.title} | {ours.get('why')} |")
            continue
        cells = [work.title, f"{1e3 * statistics.median(ours['seconds']):.1f} ms"]
        for rival in rivals:
            theirs = row[rival]
            if not theirs.get("seconds"):
                cells.append("-")
                continue
            middle, low, high = ratio(ours["seconds"], theirs["seconds"])
            ratios[f"{key}/{rival}"] = round(middle, 3)
            cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
        wanted = "" if work.target is None else f">= {work.target}"
        if work.against in WORKS:
            middle, low, high = ratio(ours["seconds"], row[work.against]["seconds"])
            ratios[f"{key}/{work.against}"] = round(middle, 3)
            wanted += f" x {WORKS[work.against].title}: {middle:.2f} ({low:.2f} to {high:.2f})"
        cells += [wanted, f"{ours['own']:.0f} MB"]
        for kind in MEMORY:
            measured = [
                row[name][kind]
                for name in ("minitransformers", "torch")
                if kind in row.get(name, ())
            ]
            cells.append(" / ".join(f"{mb:.0f}" for mb in measured) + " MB")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows), ratios


def machine() -> str:
    """The processor, its cores and the BLAS that NumPy uses."""
    from threadpoolctl import threadpool_info

    import minitransformers  # noqa: F401 - loads NumPy

    name = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).exists():
        models = [x for x in cpuinfo.read_text().splitlines() if x.startswith("model name")]
        name = models[0].partition(": ")[2] if models else name
    import numpy as np  # noqa: F401

    blas = [p for p in threadpool_info() if p["user_api"] == "blas"]
    libraries = ", ".join(
        f"{p['internal_api']} {p['version']} ({p.get('architecture')}, {p['num_threads']} threads)"
        for p in blas
    )
    return f"{name}, {os.cpu_count()} cores; {libraries}; Python {platform.python_version()}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="speed", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--only", nargs="*", choices=list(WORKS), default=list(WORKS))
    parser.add_argument("--rivals", nargs="*", choices=list(CONTESTANTS)[1:])
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "speed-models")
    parser.add_argument("--compare", type=Path, nargs="?", const=HERE / "results.json")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.smoke:
        with tempfile.TemporaryDirectory() as cache:
            options.cache, options.rounds, options.rivals = Path(cache), 1, []
            return run(options)
    run(options)


def run(options: argparse.Namespace) -> None:
    earlier = json.loads(options.compare.read_text()) if options.compare else {}
    for name in {WORKS[work].model for work in options.only}:
        folder(options.cache, name, small=options.smoke)
    rivals = list(CONTESTANTS)[1:] if options.rivals is None else options.rivals
    ours, base = (Process("minitransformers", sys.executable, options) for _ in range(2))
    others = [Process(name, options.python, options) for name in rivals]
    processes = [p for p in (ours, *others) if p.versions]
    found = measure(processes, base, options.only, options.rounds)
    for process in (*processes, base):
        process.close()
    text, ratios = table(found, [p.name for p in processes])
    versions = {k: v for p in processes for k, v in p.versions.items()}
    print(f"\n{machine()}\n{versions}\n\n{text}")
    for key, before in earlier.items():
        if key in ratios:
            print(f"{key}: {before} -> {ratios[key]} ({ratios[key] / before - 1:+.0%})")
    if options.write:
        (HERE / "results.md").write_text(f"{machine()}\n\n{versions}\n\n{text}\n")
        (HERE / "results.json").write_text(json.dumps(ratios, indent=1) + "\n")


if __name__ == "__main__":
    main()
