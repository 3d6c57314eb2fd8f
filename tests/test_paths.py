"""Import paths of transformers, and the names that scripts take from them."""

import importlib
import inspect
import pickle

import pytest

import minitransformers
from minitransformers import paths

IMPORTED = """
from minitransformers.cache_utils import KVCache
from minitransformers.configuration_utils import PretrainedConfig
from minitransformers.data.data_collator import DataCollatorWithPadding, default_data_collator
from minitransformers.file_utils import ModelOutput, is_torch_available
from minitransformers.generation.configuration_utils import GenerationConfig, WatermarkingConfig
from minitransformers.generation.logits_process import LogitsProcessor, LogitsProcessorList
from minitransformers.generation.stopping_criteria import MaxLengthCriteria, StoppingCriteriaList
from minitransformers.generation.utils import GenerateBeamDecoderOnlyOutput
from minitransformers.hf_argparser import HfArgumentParser
from minitransformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput
from minitransformers.modeling_utils import PreTrainedModel
from minitransformers.optimization import AdamW, get_linear_schedule_with_warmup, get_wsd_schedule
from minitransformers.tokenization_utils import AddedToken, PreTrainedTokenizer
from minitransformers.tokenization_utils_base import BatchEncoding, PaddingStrategy, TensorType
from minitransformers.tokenization_utils_fast import PreTrainedTokenizerFast
from minitransformers.trainer import Trainer, TrainerCallback, TrainerState
from minitransformers.trainer_callback import EarlyStoppingCallback, TrainerControl
from minitransformers.trainer_pt_utils import LabelSmoother, get_parameter_names
from minitransformers.trainer_seq2seq import Seq2SeqTrainer
from minitransformers.trainer_utils import (
    PREFIX_CHECKPOINT_DIR, EvalPrediction, IntervalStrategy, SchedulerType, denumpify_detensorize,
    get_last_checkpoint, has_length, set_seed, speed_metrics,
)
from minitransformers.training_args import OptimizerNames, TrainingArguments
from minitransformers.training_args_seq2seq import Seq2SeqTrainingArguments
from minitransformers.utils import PaddingStrategy, logging
from minitransformers.utils.generic import ModelOutput
from minitransformers.utils.import_utils import is_datasets_available
from minitransformers.utils.logging import get_logger
from minitransformers.utils.quantization_config import BitsAndBytesConfig
import minitransformers.utils.logging
"""


def test_what_scripts_import() -> None:
    names: dict = {}
    exec(IMPORTED, names)
    assert names["PREFIX_CHECKPOINT_DIR"] == "checkpoint"
    assert names["Trainer"] is minitransformers.Trainer
    assert names["logging"].get_logger is minitransformers.logging.get_logger


@pytest.mark.parametrize("path", paths.HOMES)
def test_a_path_is_a_module(path: str) -> None:
    module = importlib.import_module(f"minitransformers.{path}")
    assert module.__doc__ == f"The names of transformers.{path}."
    assert all(hasattr(module, name) for name in dir(module))
    with pytest.raises(ImportError, match="no_such_name"):
        exec(f"from minitransformers.{path} import no_such_name")


OF_MODELS = """
from minitransformers.models.auto.modeling_auto import AutoModelForCausalLM
from minitransformers.models.auto.tokenization_auto import AutoTokenizer
from minitransformers.models.bert import modeling_bert
from minitransformers.models.bert.configuration_bert import BertConfig
from minitransformers.models.bert.modeling_bert import BertEncoder, BertModel, BertPreTrainedModel
from minitransformers.models.bert.tokenization_bert import BertTokenizer
from minitransformers.models.bert.tokenization_bert_fast import BertTokenizerFast
from minitransformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel
import minitransformers.models.llama.modeling_llama as llama
"""


def test_the_files_of_a_model() -> None:
    names: dict = {}
    exec(OF_MODELS, names)
    assert names["BertModel"] is minitransformers.BertModel
    assert names["BertEncoder"] is minitransformers.models.bert.BertEncoder
    assert names["llama"].LlamaModel is minitransformers.LlamaModel
    assert "BertModel" in dir(names["modeling_bert"])
    module = minitransformers.models.bert
    assert module.__package__ == "minitransformers.models"
    assert inspect.getsource(module).startswith('"""')
    assert pickle.loads(pickle.dumps(names["BertEncoder"])) is names["BertEncoder"]
    for path in ("bert.modeling_gpt2", "bert.processing_bert", "no_such.modeling_no_such"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"minitransformers.models.{path}")


def test_a_class_of_ones_own_on_a_family() -> None:
    from minitransformers.core.layers import Dropout, Linear
    from minitransformers.modeling_outputs import SequenceClassifierOutput

    class Mine(minitransformers.BertPreTrainedModel):
        output_class = SequenceClassifierOutput

        def __init__(self, config: minitransformers.BertConfig):
            super().__init__(config)
            self.bert = minitransformers.BertModel(config)
            self.dropout = Dropout(config.hidden_dropout_prob)
            self.classifier = Linear(config.hidden_size, config.num_labels)
            self.post_init()

        def forward(self, state, **inputs):
            pooled = self.bert.forward(state, **inputs)["pooler_output"]
            return {"logits": self.classifier(self.dropout(pooled))}

    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9}
    config = minitransformers.BertConfig(**small, intermediate_size=8, num_labels=3)
    assert Mine(config).eval()(input_ids=[[1, 2]]).logits.shape == (1, 3)


def test_what_is_no_path_is_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module("minitransformers.no_such_module")


def test_what_is_installed() -> None:
    assert minitransformers.is_tokenizers_available()
    assert not minitransformers.is_torch_cuda_available()
    assert not minitransformers.is_no_such_thing_available()
    assert minitransformers.is_torch_available.__name__ == "is_torch_available"


def test_tables_of_classes() -> None:
    table = minitransformers.MODEL_FOR_CAUSAL_LM_MAPPING
    assert table[minitransformers.GPT2Config] is minitransformers.GPT2LMHeadModel
    assert minitransformers.T5Config not in table
    assert len(table) == len(list(table)) == len(table.items())
    types = {config.model_type for config in table}
    assert {"gpt2", "llama", "bert"} <= types
    assert minitransformers.CONFIG_MAPPING["bert"] is minitransformers.BertConfig
    assert "no-such-type" not in minitransformers.CONFIG_MAPPING
    for name in dir(minitransformers):
        if name.startswith("MODEL") and name.endswith("_MAPPING"):
            assert dict(getattr(minitransformers, name))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bert", "BertForMaskedLM"),
        ("gpt2", "GPT2LMHeadModel"),
        ("t5", "T5ForConditionalGeneration"),
    ],
)
def test_any_head_for_language_modelling(kind: str, expected: str) -> None:
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 9}
    config = minitransformers.AutoConfig.for_model(kind, **small)
    assert type(minitransformers.AutoModelWithLMHead.from_config(config)).__name__ == expected


def test_classes_of_paths_are_pickled_where_they_live() -> None:
    from minitransformers.modeling_outputs import BaseModelOutput

    assert pickle.loads(pickle.dumps(BaseModelOutput)) is BaseModelOutput
