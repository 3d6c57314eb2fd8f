"""Write files of torch.save into torch_bin.zip, and what torch.load reads from them: torch_bin.npz.

Run where torch is installed: python tests/golden/make_torch_bin.py
"""

import io
import warnings
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
EIGHT_BITS = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
UNSIGNED = [torch.uint16, torch.uint32, torch.uint64]
# NumPy lacks them: their bits
VIEWED = {torch.bfloat16: torch.uint16} | dict.fromkeys(EIGHT_BITS, torch.uint8)


def state() -> OrderedDict:
    """Tensors of every dtype, and every way to view a storage."""
    torch.manual_seed(0)
    values = torch.randn(3, 5) * torch.logspace(-6, 6, 5)
    tensors: OrderedDict = OrderedDict()
    for dtype in FLOATS:
        tensors[str(dtype)] = values.to(dtype)
    for dtype in EIGHT_BITS:
        tensors[str(dtype)] = torch.arange(256, dtype=torch.uint8).view(dtype).reshape(16, 16)
    for dtype in INTEGERS + UNSIGNED:
        limits = torch.iinfo(dtype)
        tensors[str(dtype)] = torch.tensor([limits.min, 0, 1, limits.max], dtype=dtype)
    tensors["torch.bool"] = torch.tensor([[True, False], [False, True]])
    tensors["torch.complex64"] = torch.complex(values, -values)
    tensors["torch.complex128"] = tensors["torch.complex64"].to(torch.complex128)
    tensors["scalar"] = torch.tensor(2.5, dtype=torch.bfloat16)
    tensors["empty"] = torch.zeros(0, 3, dtype=torch.float16)

    base = torch.randn(4, 6)
    tensors["base"] = base
    tensors["tied"] = base.view(4, 6)
    tensors["same"] = base
    tensors["transposed"] = base.T
    tensors["row"] = base[2]
    tensors["columns"] = base[:, 1:6:2]
    tensors["diagonal"] = base.diagonal()
    tensors["windows"] = base.flatten().unfold(0, 5, 3)
    tensors["expanded"] = torch.tensor([1.5, -2.0]).expand(3, 2)
    tensors["one axis"] = base[3:4, 5:6]
    tensors["half slice"] = torch.randn(9).half()[3:]
    tensors["parameter"] = torch.nn.Parameter(torch.randn(2, 2))
    tensors["buffer"] = torch.nn.parameter.Buffer(torch.randn(2))
    attributed = torch.nn.Parameter(torch.randn(2))
    attributed.sharded = True
    tensors["parameter with attributes"] = attributed
    plain = torch.randn(3)
    plain.note = "x"
    tensors["tensor with attributes"] = plain
    tensors["Ümlaut 重み"] = torch.ones(1)
    tensors._metadata = OrderedDict({"": {"version": 1}})
    return tensors


def saved(content: object, **how) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def big_endian(little: bytes, sizes: dict[str, int]) -> bytes:
    """The same file as a big-endian machine writes it. sizes: element size of each storage."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(little)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            _, _, last = name.partition("/")
            if last == "byteorder":
                content = b"big"
            elif last.startswith("data/"):
                size = sizes[last.removeprefix("data/")]
                content = np.frombuffer(content, f"V{size}").view(np.uint8)
                content = content.reshape(-1, size)[:, ::-1].tobytes()
            target.writestr(name, content)
    return out.getvalue()


def files() -> dict[str, bytes]:
    tensors = state()
    # torch writes these into the older format, but cannot read them back
    older = OrderedDict((k, t) for k, t in tensors.items() if t.dtype not in EIGHT_BITS + UNSIGNED)
    made = {}
    for protocol in range(1, 6):
        made[f"zip{protocol}"] = saved(tensors, pickle_protocol=protocol)
        made[f"legacy{protocol}"] = saved(
            older, pickle_protocol=protocol, _use_new_zipfile_serialization=False
        )
    few = OrderedDict(a=torch.arange(3.0), b=torch.tensor([1, 2]).to(torch.bfloat16))
    made["big"] = big_endian(saved(few), {"0": 4, "1": 2})
    for wrapper in ("state_dict", "model_state_dict", "model", "module"):
        made[wrapper] = saved({"epoch": 3, wrapper: few, "note": None})
    made["mixed"] = saved(
        {**few, "epoch": 3, "lr": 1e-3, "names": ["x"], "sizes": torch.Size([1]), "raw": b"\xff",
         "set": {1}, "counts": Counter("ab"), "at": torch.device("cpu"), "as": torch.float16,
         "c": 1j, "nested": {"deep": [few]}, "array": bytearray(b"x"), (1, "x"): True, "big": 2**70}
    )  # fmt: skip
    made["nothing"] = saved({})
    return made


def refused() -> dict[str, bytes]:
    ones = torch.ones(3)
    per_channel = torch.eye(2), torch.ones(2), torch.zeros(2, dtype=torch.int64)
    return {
        "quantized": saved({"w": torch.quantize_per_tensor(ones, 0.1, 0, torch.qint8)}),
        "channels": saved({"w": torch.quantize_per_channel(*per_channel, 0, torch.qint8)}),
        "sparse": saved({"w": torch.eye(3).to_sparse()}),
        "sparse rows": saved({"w": torch.eye(3).to_sparse_csr()}),
        "nested": saved({"w": torch.nested.nested_tensor([ones, ones[:2]])}),
        "meta": saved({"w": torch.empty(3, device="meta")}),
        "conjugated": saved({"w": torch.ones(3, dtype=torch.complex64).conj()}),
        "complex32": saved({"w": torch.ones(3, dtype=torch.complex32)}),
        "whole model": saved(torch.nn.Linear(2, 2)),
        "tensor": saved(ones),
        "list": saved([ones]),
        "numpy": saved({"w": ones, "x": np.ones(2)}),
    }


def main() -> None:
    warnings.filterwarnings("ignore")
    made = files()
    with zipfile.ZipFile(FOLDER / "torch_bin.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**made, **refused()}.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.bin"), content, zipfile.ZIP_DEFLATED)
    everything = {}
    for name, content in made.items():
        # attributes of tensors and Python's own objects are beyond the strict mode
        read = torch.load(io.BytesIO(content), weights_only=False)
        for key, tensor in dict(read.get(name, read)).items():
            if isinstance(tensor, torch.Tensor):
                tensor = tensor.detach()
                viewed = tensor.view(VIEWED.get(tensor.dtype, tensor.dtype))
                everything[f"{name}/{key}"] = viewed.numpy()
    # protocols differ in nothing else
    first = {key: x for key, x in everything.items() if key.startswith("zip2/")}
    for key, array in first.items():
        for name in made:
            if (same := key.replace("zip2", name)) in everything and name[-1].isdigit():
                np.testing.assert_array_equal(everything[same], array)
    kept = {k: x for k, x in everything.items() if not k.startswith(("zip", "legacy"))} | first
    np.savez_compressed(FOLDER / "torch_bin.npz", **kept)


if __name__ == "__main__":
    main()
