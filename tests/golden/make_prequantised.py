"""Write prequantised.npz: layers as quantising tools write them, and the weights they stand for;
and nf4.json: which weights of a model the reference has bitsandbytes quantise.

    python make_prequantised.py AUTO_GPTQ AUTOAWQ COMPRESSED_TENSORS

The folders are of the unpacked packages auto_gptq 0.7.1, autoawq 0.2.9 and compressed_tensors 0.20,
of which single files are run: whole they want GPUs or another transformers. bitsandbytes 0.50,
torch and transformers 4.46.3 are installed. Case "name" is name/how (JSON), name/expected and
name/tensor... for each tensor.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np
import torch
import transformers

HERE = Path(__file__).parent
ROWS, WIDTH = 32, 64


def run_file(path: Path, name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def limits(weight: torch.Tensor, group: int, bits: int, symmetric: bool, order=None):
    """Steps and zeros, (rows, groups), of the columns in this order."""
    columns = weight if order is None else weight[:, order]
    groups = columns.reshape(len(weight), -1, group)
    if symmetric:
        step = groups.abs().amax(-1) / (2 ** (bits - 1) - 0.5)
        return step.half().float(), torch.full_like(step, 2 ** (bits - 1))
    low, high = groups.amin(-1), groups.amax(-1)
    step = ((high - low) / (2**bits - 1)).half().float()
    return step, (-low / step).round().clamp(0, 2**bits - 1)


def gptq(package: Path, found: dict) -> None:
    module = run_file(package / "auto_gptq/nn_modules/qlinear/qlinear_cuda.py", "gptq")
    parts = ("qweight", "qzeros", "scales", "g_idx")
    for bits in (2, 3, 4, 8):
        for group in (16, -1):
            for symmetric in (True, False):
                for ordered in (False, True):
                    if ordered and (bits not in (4, 8) or group == -1):
                        continue
                    size = WIDTH if group == -1 else group
                    weight = torch.randn(ROWS, WIDTH) * 0.1
                    order = torch.randperm(WIDTH) if ordered else torch.arange(WIDTH)
                    g_idx = torch.empty(WIDTH, dtype=torch.int32)
                    g_idx[order] = torch.arange(WIDTH, dtype=torch.int32) // size
                    step, zero = limits(weight, size, bits, symmetric, order)
                    layer = module.QuantLinear(bits, group, WIDTH, ROWS, bias=False)
                    linear = torch.nn.Linear(WIDTH, ROWS, bias=False)
                    # rounded as the tool does before it packs
                    index = g_idx.long()
                    codes = (weight / step[:, index] + zero[:, index]).round().clamp(0, 2**bits - 1)
                    linear.weight.data = (codes - zero[:, index]) * step[:, index]
                    layer.pack(linear, step.clone(), zero.clone(), g_idx)
                    name = f"gptq-{bits}-{group}-{'sym' if symmetric else 'asym'}"
                    name += "-ordered" if ordered else ""
                    found[name] = (
                        {"quant_method": "gptq", "bits": bits, "group_size": group},
                        {part: getattr(layer, part).numpy() for part in parts},
                        linear.weight.detach().numpy(),
                    )  # fmt: skip


def awq(package: Path, found: dict) -> None:
    module = run_file(package / "awq/utils/packing_utils.py", "awq_packing")
    for group in (16, WIDTH):
        bits = torch.iinfo(torch.int32)
        qweight = torch.randint(bits.min, bits.max, (WIDTH, ROWS // 8), dtype=torch.int32)
        qzeros = torch.randint(bits.min, bits.max, (WIDTH // group, ROWS // 8), dtype=torch.int32)
        scales = (torch.rand(WIDTH // group, ROWS) * 0.01).half()
        values = module.dequantize_gemm(qweight, qzeros, scales.float(), 4, group)
        found[f"awq-{group}"] = (
            {"quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm"},
            {"qweight": qweight.numpy(), "qzeros": qzeros.numpy(), "scales": scales.numpy()},
            values.T.numpy(),
        )


def bitsandbytes(found: dict) -> None:
    import bitsandbytes as bnb

    for kind in ("nf4", "fp4"):
        for double in (False, True):
            for width in (64, 96, 40):  # a block of 64 lies in a row, or in two
                weight = torch.randn(ROWS, width) * 0.1
                stored, state = bnb.functional.quantize_4bit(
                    weight, quant_type=kind, compress_statistics=double, blocksize=64
                )
                tensors = {"weight": stored.numpy()}
                for name, x in state.as_dict(packed=True).items():
                    tensors[f"weight.{name}"] = x.numpy()
                name = f"bnb-{kind}{'-double' if double else ''}-{width}"
                how = {"quant_method": "bitsandbytes", "load_in_4bit": True}
                expected = bnb.functional.dequantize_4bit(stored, state).numpy()
                found[name] = (how, tensors | {"original": weight.numpy()}, expected)
    weight = torch.randn(ROWS, WIDTH) * 0.1
    largest = weight.abs().amax(1)
    stored = (weight / largest[:, None] * 127).round().to(torch.int8)
    expected = bnb.functional.int8_vectorwise_dequant(stored, largest)
    tensors = {"weight": stored.numpy(), "SCB": largest.numpy(), "weight_format": np.uint8(0)}
    found["bnb-int8"] = ({"load_in_8bit": True}, tensors, expected.numpy())


def compressed(package: Path, found: dict) -> None:
    path = package / "compressed_tensors/compressors/pack_quantized/helpers.py"
    helpers = run_file(path, "ct_helpers")
    how = {"quant_method": "compressed-tensors"}
    for bits in (4, 8, 3):
        for group in (16, WIDTH):
            for symmetric in (True, False):
                weight = torch.randn(ROWS, WIDTH) * 0.1
                step, zero = limits(weight, group, bits, symmetric)
                signed_zero = zero - 2 ** (bits - 1)
                whole_step, whole_zero = (
                    x.repeat_interleave(group, 1) for x in (step, signed_zero)
                )
                low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
                integers = (weight / whole_step + whole_zero).round().clamp(low, high)
                tensors = {
                    "weight_packed": helpers.pack_to_int32(integers.to(torch.int8), bits).numpy(),
                    "weight_scale": step.half().numpy(),
                    "weight_shape": np.array([ROWS, WIDTH]),
                }
                name = f"packed-{bits}-{group}-{'sym' if symmetric else 'asym'}"
                expected = ((integers - whole_zero) * whole_step).numpy()
                if not symmetric:
                    zeros = helpers.pack_to_int32(signed_zero.to(torch.int8), bits, packed_dim=0)
                    assert torch.equal(
                        helpers.unpack_from_int32(zeros, bits, signed_zero.shape, packed_dim=0),
                        signed_zero.to(torch.int8),
                    )
                    tensors["weight_zero_point"] = zeros.numpy()
                    found[name] = (how, tensors, expected)
                    # as earlier releases wrote it
                    earlier = tensors | {"weight_zero_point": signed_zero.to(torch.int8).numpy()}
                    found[f"{name}-earlier"] = (how, earlier, expected)
                else:
                    found[name] = (how, tensors, expected)
    for name, shape in (("tensor", (1,)), ("channel", (ROWS, 1)), ("group", (ROWS, 4))):
        integers = np.random.default_rng(0).integers(-128, 128, (ROWS, WIDTH), np.int8)
        step = np.random.default_rng(1).random(shape, np.float32) * 0.01
        whole = np.repeat(step, WIDTH // shape[-1], -1) if step.ndim == 2 else step
        tensors = {"weight": integers, "weight_scale": step}
        found[f"int8-{name}"] = (how, tensors, integers * whole)
        zero = np.random.default_rng(2).integers(-20, 20, shape, np.int8)
        offset = np.repeat(zero, WIDTH // shape[-1], -1) if zero.ndim == 2 else zero
        tensors = tensors | {"weight_zero_point": zero}
        expected = (integers - offset.astype(np.float32)) * whole
        found[f"int8-{name}-asym"] = (how, tensors, expected)


def eight_bit_floats(found: dict) -> None:
    for kind in ("e4m3fn", "e5m2"):
        weight = (torch.randn(ROWS, WIDTH) * 50).to(getattr(torch, f"float8_{kind}"))
        bits, values = weight.view(torch.uint8).numpy(), weight.float()
        key = f"weight:F8_{kind[:4].upper()}"
        for name, shape in (("tensor", ()), ("channel", (ROWS, 1))):
            step = torch.rand(shape) * 0.01
            how = {"quant_method": "compressed-tensors"}
            tensors = {key: bits, "weight_scale": step.numpy()}
            found[f"{kind}-{name}"] = (how, tensors, (values * step).numpy())
        for block in ((16, 16), (12, 20)):
            step = torch.rand(-(-ROWS // block[0]), -(-WIDTH // block[1])) * 0.01
            whole = step.repeat_interleave(block[0], 0)[:ROWS]
            whole = whole.repeat_interleave(block[1], 1)[:, :WIDTH]
            how = {"quant_method": "fp8", "weight_block_size": list(block)}
            tensors = {key: bits, "weight_scale_inv": step.numpy()}
            found[f"{kind}-blocks-{block[0]}"] = (how, tensors, (values * whole).numpy())


SIZES = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 40}
MODELS: dict[str, dict] = {
    "BertModel": SIZES | {"intermediate_size": 96},
    "BertForMaskedLM": SIZES | {"intermediate_size": 96},
    "BertForSequenceClassification": SIZES | {"intermediate_size": 96},
    "T5ForConditionalGeneration": {
        "d_model": 64, "d_ff": 96, "num_layers": 1, "num_heads": 4, "d_kv": 16, "vocab_size": 40,
    },
    "GPT2LMHeadModel": {"n_embd": 64, "n_layer": 1, "n_head": 2, "vocab_size": 40},
    "LlamaForCausalLM": SIZES | {"intermediate_size": 96, "tie_word_embeddings": True},
    "OPTForCausalLM": SIZES | {"ffn_dim": 96, "word_embed_proj_dim": 64},
}  # fmt: skip


def converted() -> dict[str, list[str]]:
    """The weights that the reference makes NF4 of, in a model of each class."""
    import tempfile

    import transformers.integrations.bitsandbytes as integration
    from transformers import BitsAndBytesConfig

    integration.is_ipex_available = lambda: True  # or it refuses CPUs
    found = {}
    for name, sizes in MODELS.items():
        cls = getattr(transformers, name)
        how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
        with tempfile.TemporaryDirectory() as folder:
            cls(cls.config_class(**sizes)).save_pretrained(folder)
            model = cls.from_pretrained(
                folder, quantization_config=how, torch_dtype=torch.float32, device_map="cpu"
            )
        state = model.state_dict().items()
        found[name] = sorted(n for n, x in state if x.dtype == torch.uint8 and n.endswith("weight"))
    return found


def main() -> None:
    torch.manual_seed(0)
    found: dict = {}
    packages = map(Path, sys.argv[1:4])
    gptq(next(packages), found)
    awq(next(packages), found)
    compressed(next(packages), found)
    bitsandbytes(found)
    eight_bit_floats(found)
    arrays = {}
    for name, (how, tensors, expected) in found.items():
        arrays[f"{name}/how"] = np.frombuffer(json.dumps(how).encode(), np.uint8)
        arrays |= {f"{name}/{part}": np.asarray(x) for part, x in tensors.items()}
        arrays[f"{name}/expected"] = np.asarray(expected, np.float32)
    np.savez_compressed(HERE / "prequantised.npz", **arrays)
    described = {"sizes": MODELS, "converted": converted()}
    (HERE / "nf4.json").write_text(json.dumps(described, indent=1) + "\n")
    print(len(found), "cases")


if __name__ == "__main__":
    main()
