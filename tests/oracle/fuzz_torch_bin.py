"""Mutate files of torch.save; compare what this package and torch.load make of them.

    python tests/oracle/fuzz_torch_bin.py [--files 3000] [--seed 0]

Needs torch beside this package. What both load must be equal to the bit. What only this package
loads, or only torch, is counted by reason: torch trusts what it could check (a storage longer than
its tensors need, a directory that contradicts its entries), and has no opcodes of later protocols.
"""

from __future__ import annotations

import argparse
import collections
import io
import re
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path[:0] = [str(Path(__file__).parents[1] / "checkpoints")]
from fuzzing import FORMATS
from mutations import one_of

warnings.filterwarnings("ignore")
VIEWED = {torch.bfloat16: torch.uint16, torch.float8_e4m3fn: torch.uint8}
VIEWED |= {torch.float8_e5m2: torch.uint8, torch.float8_e8m0fnu: torch.uint8}


def of_torch(data: bytes) -> dict[str, np.ndarray]:
    """The tensors that torch reads, as this package views them."""
    root = torch.load(io.BytesIO(data), weights_only=True)
    for state in (root, *map(root.get, ("state_dict", "model_state_dict", "model", "module"))):
        tensors = {k: x.detach() for k, x in (state or {}).items() if isinstance(x, torch.Tensor)}
        if tensors:
            return {k: x.view(VIEWED.get(x.dtype, x.dtype)).numpy() for k, x in tensors.items()}
    return {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    for name in ("torch_zip", "torch_legacy"):
        counts: collections.Counter = collections.Counter()
        with tempfile.TemporaryDirectory() as folder:
            case = FORMATS[name](Path(folder))
            for _ in range(options.files):
                data = case.mutate(one_of(rng, case.seeds), rng)
                case.path.write_bytes(data)
                ours, theirs, story, reason = None, None, "", ""
                try:
                    ours = {key: tensor.data for key, tensor in case.load().items()}
                except ValueError as error:
                    story = re.sub(r"\d+|'[^']*'", "#", str(error).split(f"{case.path}: ")[-1])[:70]
                try:
                    theirs = of_torch(data)
                except Exception as error:
                    reason = re.sub(r"\d+|'[^']*'", "#", str(error).strip().split("\n")[0])[:90]
                if ours is None and theirs is None:
                    counts["both refuse"] += 1
                elif ours is None:
                    counts[f"only torch loads: {story}"] += 1
                elif theirs is None:
                    counts[f"only ours loads: {reason}"] += 1
                else:
                    same = ours.keys() == theirs.keys() and all(
                        ours[k].shape == theirs[k].shape
                        and ours[k].tobytes() == theirs[k].tobytes()
                        for k in ours
                    )
                    if not same:
                        case.path.rename(f"/tmp/different-{counts['DIFFERENT']}.bin")
                    counts["both load, equal" if same else "DIFFERENT"] += 1
        print(name)
        for reason, count in counts.most_common():
            print(f"{count:7} {reason}")


if __name__ == "__main__":
    main()
