"""Fuzz the readers guided by the branches they take, with atheris.

    python tests/oracle/fuzz_coverage.py torch_zip [-max_total_time=60] [other options of libFuzzer]

Needs atheris. Stops at the first file whose loading ends in anything but a ValueError or OSError.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "checkpoints")]

with atheris.instrument_imports(
    include=["minitransformers.checkpoints", "minitransformers.json_files"]
):
    from fuzzing import FORMATS


def main() -> None:
    name = sys.argv.pop(1)
    folder = Path(tempfile.mkdtemp())
    case = FORMATS[name](folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for n, seed in enumerate(case.seeds):
        (corpus / str(n)).write_bytes(seed)

    def load(data: bytes) -> None:
        case.path.write_bytes(data)
        try:
            result = case.load()
        except case.errors:
            return
        case.judge(data, result)

    atheris.Setup([*sys.argv, str(corpus)], load)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
