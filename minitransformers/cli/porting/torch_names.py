"""What to write for the calls of torch that scripts around transformers make.

name -> (dotted path that takes its place or "", what else to know). ("", "") needs no change.
"""

_OUT = ("", "leave it out: there is one device, the CPU")
_DTYPE = ("", "its name as a text for torch_dtype=, NumPy's type for arrays")
_PLAIN = ("minitransformers.no_grad", "")
_OWN_MODEL = (
    "minitransformers.PreTrainedModel",
    "docs/adding_a_model.md builds models of your own",
)


def _numpy(name: str, note: str = "") -> tuple[str, str]:
    return f"numpy.{name}", f"np.{name}{f': {note}' if note else ''}"


_AXIS = "axis= for dim="

TORCH: dict[str, tuple[str, str]] = {
    "torch": ("", "NumPy arrays take the place of tensors; see each name"),
    # leave out
    "torch.no_grad": _PLAIN,
    "torch.inference_mode": _PLAIN,
    "torch.enable_grad": ("minitransformers.enable_grad", ""),
    "torch.set_grad_enabled": ("minitransformers.no_grad", "no_grad() and enable_grad()"),
    "torch.device": _OUT,
    "torch.cuda": _OUT,
    "torch.backends": _OUT,
    "torch.mps": _OUT,
    "torch.compile": ("", "leave it out: there is nothing to compile"),
    "torch.amp": ("", "leave it out: models compute in float32"),
    "torch.autocast": ("", "leave it out: models compute in float32"),
    "torch.set_num_threads": ("minitransformers.set_num_threads", ""),
    "torch.get_num_threads": ("minitransformers.get_num_threads", ""),
    "torch.manual_seed": ("minitransformers.set_seed", "set_seed(n): the same draws as torch's"),
    "torch.Generator": ("minitransformers.set_seed", "set_seed(n)"),
    # types
    "torch.Tensor": _numpy("ndarray"),
    "torch.LongTensor": _numpy("array", "dtype=np.int64"),
    "torch.FloatTensor": _numpy("array", "dtype=np.float32"),
    "torch.BoolTensor": _numpy("array", "dtype=bool"),
    "torch.float16": _DTYPE,
    "torch.bfloat16": _DTYPE,
    "torch.float32": _DTYPE,
    "torch.float": _DTYPE,
    "torch.half": _DTYPE,
    "torch.long": _numpy("int64"),
    "torch.int64": _numpy("int64"),
    "torch.int": _numpy("int32"),
    "torch.int32": _numpy("int32"),
    "torch.bool": _numpy("bool_"),
    # arrays
    "torch.tensor": _numpy("array"),
    "torch.as_tensor": _numpy("asarray"),
    "torch.from_numpy": ("", "leave it out: arrays are NumPy's"),
    "torch.is_tensor": ("numpy.ndarray", "isinstance(x, np.ndarray)"),
    "torch.zeros": _numpy("zeros", "name the dtype, np.float32"),
    "torch.ones": _numpy("ones", "name the dtype, np.float32"),
    "torch.full": _numpy("full"),
    "torch.empty": _numpy("empty"),
    "torch.zeros_like": _numpy("zeros_like"),
    "torch.ones_like": _numpy("ones_like"),
    "torch.full_like": _numpy("full_like"),
    "torch.arange": _numpy("arange"),
    "torch.linspace": _numpy("linspace"),
    "torch.eye": _numpy("eye"),
    "torch.tril": _numpy("tril"),
    "torch.triu": _numpy("triu"),
    "torch.cat": _numpy("concatenate", _AXIS),
    "torch.concat": _numpy("concatenate", _AXIS),
    "torch.stack": _numpy("stack", _AXIS),
    "torch.split": _numpy("split", "it takes the number of parts or the places to cut"),
    "torch.chunk": _numpy("array_split"),
    "torch.unsqueeze": _numpy("expand_dims"),
    "torch.squeeze": _numpy("squeeze"),
    "torch.flatten": _numpy("ravel"),
    "torch.reshape": _numpy("reshape"),
    "torch.transpose": _numpy("swapaxes"),
    "torch.permute": _numpy("transpose"),
    "torch.gather": _numpy("take_along_axis"),
    "torch.where": _numpy("where"),
    "torch.masked_select": ("", "x[mask]"),
    "torch.topk": _numpy(
        "argsort", "np.argsort(-x, axis=-1, kind='stable')[..., :k] is the indices"
    ),
    "torch.sort": _numpy("sort", "np.argsort for the indices"),
    "torch.argsort": _numpy("argsort"),
    "torch.argmax": _numpy("argmax", _AXIS),
    "torch.argmin": _numpy("argmin", _AXIS),
    "torch.max": _numpy("max", f"{_AXIS} gives values only; np.argmax the indices"),
    "torch.min": _numpy("min", f"{_AXIS} gives values only; np.argmin the indices"),
    "torch.sum": _numpy("sum", _AXIS),
    "torch.mean": _numpy("mean", _AXIS),
    "torch.std": _numpy("std", "ddof=1 for torch's"),
    "torch.var": _numpy("var", "ddof=1 for torch's"),
    "torch.cumsum": _numpy("cumsum", _AXIS),
    "torch.abs": _numpy("abs"),
    "torch.exp": _numpy("exp"),
    "torch.log": _numpy("log"),
    "torch.sqrt": _numpy("sqrt"),
    "torch.pow": _numpy("power"),
    "torch.clamp": _numpy("clip"),
    "torch.round": _numpy("round"),
    "torch.tanh": _numpy("tanh"),
    "torch.matmul": _numpy("matmul"),
    "torch.mm": _numpy("matmul"),
    "torch.bmm": _numpy("matmul"),
    "torch.dot": _numpy("dot"),
    "torch.einsum": _numpy("einsum"),
    "torch.norm": _numpy("linalg.norm"),
    "torch.linalg.norm": _numpy("linalg.norm"),
    "torch.equal": _numpy("array_equal"),
    "torch.allclose": _numpy("allclose"),
    "torch.isnan": _numpy("isnan"),
    "torch.all": _numpy("all"),
    "torch.any": _numpy("any"),
    "torch.unique": _numpy("unique"),
    "torch.softmax": ("minitransformers.core.ops.softmax", "ops.softmax(x): over the last axis"),
    "torch.sigmoid": ("minitransformers.core.ops.sigmoid", "ops.sigmoid(x)"),
    "torch.relu": ("minitransformers.core.ops.relu", "ops.relu(x)"),
    "torch.save": ("", "model.save_pretrained(folder), np.save for arrays"),
    "torch.load": ("", "from_pretrained(folder), which reads .bin files too; np.load for arrays"),
    # models and training
    "torch.nn": _OWN_MODEL,
    "torch.nn.functional": ("minitransformers.core.ops", "operations with their derivatives"),
    "torch.nn.functional.softmax": (
        "minitransformers.core.ops.softmax",
        "ops.softmax(x): over the last axis",
    ),
    "torch.nn.functional.log_softmax": ("", "x - logsumexp: np.log(ops.softmax(x))"),
    "torch.nn.functional.cross_entropy": (
        "minitransformers.core.ops.cross_entropy",
        "ops.cross_entropy(logits, labels=labels)",
    ),
    "torch.nn.functional.gelu": ("minitransformers.core.ops.gelu", "ops.gelu(x)"),
    "torch.nn.functional.relu": ("minitransformers.core.ops.relu", "ops.relu(x)"),
    "torch.nn.functional.normalize": (
        "numpy.linalg.norm",
        "x / np.linalg.norm(x, axis=-1, keepdims=True)",
    ),
    "torch.nn.functional.cosine_similarity": (
        "numpy.linalg.norm",
        "the product of vectors of length one",
    ),
    "torch.optim": ("minitransformers.training.optim", ""),
    "torch.optim.AdamW": ("minitransformers.training.optim.AdamW", ""),
    "torch.optim.Adam": ("minitransformers.training.optim.Adam", ""),
    "torch.optim.SGD": ("minitransformers.training.optim.SGD", ""),
    "torch.utils.data.Dataset": ("", "leave the base class out: a length and an index will do"),
    "torch.utils.data.DataLoader": ("minitransformers.training.data.DataLoader", ""),
}

# Methods of tensors that arrays lack -> what to write.
METHODS: dict[str, str] = {
    "cuda": "leave it out: there is one device, the CPU",
    "cpu": "leave it out: there is one device, the CPU",
    "detach": "leave it out: outputs are plain arrays",
    "numpy": "leave it out: outputs are arrays already",
    "contiguous": "leave it out",
    "unsqueeze": "np.expand_dims(x, axis)",
    "permute": ".transpose(...)",
    "view": ".reshape(...)",
    "expand": "np.broadcast_to(x, shape)",
    "masked_fill": "np.where(mask, value, x)",
    "masked_fill_": "x[mask] = value",
    "softmax": "ops.softmax(x): over the last axis",
    "topk": "np.argsort(-x, axis=-1, kind='stable')[..., :k] is the indices",
    "long": ".astype(np.int64)",
    "clamp": ".clip(...)",
    "numel": ".size",
    "t": ".T",
}
# Methods that arrays have, with axis= where tensors have dim=.
REDUCTIONS = {
    *("all", "any", "argmax", "argmin", "argsort", "cumsum", "max", "mean", "min", "squeeze"),
    *("std", "sum", "var"),
}
