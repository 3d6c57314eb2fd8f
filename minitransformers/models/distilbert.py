"""DistilBERT (Sanh et al., 2019). Attribute paths are the checkpoint's names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..core import ops
from ..core.layers import Dropout, Embedding, LayerNorm, Linear
from ..core.module import Module
from ..core.random import default_generator
from ..core.state import State
from .config import PretrainedConfig
from .heads import (
    ForMaskedLM,
    ForMultipleChoice,
    ForQuestionAnswering,
    ForSequenceClassification,
    ForTokenClassification,
)
from .modeling import PreTrainedModel
from .outputs import BaseModelOutput
from .pruning import Counted, Heads


class DistilBertConfig(PretrainedConfig):
    model_type = "distilbert"
    attribute_map = {
        "hidden_size": "dim",
        "num_attention_heads": "n_heads",
        "num_hidden_layers": "n_layers",
    }
    vocab_size: int = 30522
    max_position_embeddings: int = 512
    sinusoidal_pos_embds: bool = False
    n_layers: int = 6
    n_heads: int = 12
    dim: int = 768
    hidden_dim: int = 3072
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation: str = "gelu"
    initializer_range: float = 0.02
    qa_dropout: float = 0.1
    seq_classif_dropout: float = 0.2
    pad_token_id: int | None = 0


def sinusoids(length: int, dim: int) -> np.ndarray:
    """Sines and cosines in turn of the position over wavelengths from 2 pi to 20000 pi (Vaswani et
    al., 2017). -> (length, dim) float32
    """
    angles = np.arange(length)[:, None] / 10000.0 ** (np.arange(dim) // 2 * 2 / dim)
    return np.where(np.arange(dim) % 2, np.cos(angles), np.sin(angles)).astype(np.float32)


class Embeddings(Module):
    def __init__(self, config: DistilBertConfig):
        self.word_embeddings = Embedding(config.vocab_size, config.dim, config.pad_token_id)
        self.position_embeddings = Embedding(config.max_position_embeddings, config.dim)
        self.LayerNorm = LayerNorm(config.dim, 1e-12)
        self.dropout = Dropout(config.dropout)

    def __call__(self, x: Any, state: State) -> Any:
        x = x + self.position_embeddings(state.positions(x))
        return self.dropout(self.LayerNorm(x))


class MultiHeadSelfAttention(Counted):
    def __init__(self, config: DistilBertConfig, layer: int):
        n = config.dim
        self.q_lin, self.k_lin, self.v_lin = Linear(n, n), Linear(n, n), Linear(n, n)
        self.out_lin = Linear(n, n)
        self.dropout = Dropout(config.attention_dropout)
        self.layer, self.heads = layer, config.n_heads
        self.scale = 1.0 / math.sqrt(n // config.n_heads)

    def __call__(self, x: Any, state: State) -> Any:
        parts = (self.q_lin(x), self.k_lin(x), self.v_lin(x))
        q, k, v = (ops.split_heads(part, heads=self.heads) for part in parts)
        out = state.attend(self.layer, q, k, v, self.scale, self.dropout.rate)
        return self.out_lin(ops.merge_heads(out))


class FFN(Module):
    def __init__(self, config: DistilBertConfig):
        self.lin1 = Linear(config.dim, config.hidden_dim)
        self.lin2 = Linear(config.hidden_dim, config.dim)
        self.dropout = Dropout(config.dropout)
        self.act = ops.activation(config.activation)

    def __call__(self, x: Any) -> Any:
        return self.dropout(self.lin2(ops.activate(self.act, self.lin1(x))))


class TransformerBlock(Module):
    def __init__(self, config: DistilBertConfig, layer: int):
        self.attention = MultiHeadSelfAttention(config, layer)
        self.sa_layer_norm = LayerNorm(config.dim, 1e-12)
        self.ffn = FFN(config)
        self.output_layer_norm = LayerNorm(config.dim, 1e-12)

    def __call__(self, x: Any, state: State) -> Any:
        x = self.sa_layer_norm(self.attention(x, state) + x)
        return self.output_layer_norm(self.ffn(x) + x)


class Transformer(Module):
    def __init__(self, config: DistilBertConfig):
        self.layer = [TransformerBlock(config, i) for i in range(config.n_layers)]

    def __call__(self, x: Any, state: State) -> Any:
        for layer in self.layer:
            x = layer(state.keep(x), state)
        return state.keep(x)


class DistilBertPreTrainedModel(PreTrainedModel):
    config_class = DistilBertConfig
    base_model_prefix = "distilbert"
    input_embeddings = "embeddings.word_embeddings"
    attention_heads = Heads(
        r"transformer\.layer\.\d+\.attention",
        inputs=("q_lin", "k_lin", "v_lin"),
        output="out_lin",
    )
    inputs = ("input_ids", "attention_mask", "head_mask", "inputs_embeds")

    def get_position_embeddings(self) -> Embedding:
        """The table of positions."""
        return self.base_model.embeddings.position_embeddings

    def resize_position_embeddings(self, new_num_position_embeddings: int) -> None:
        """Make room for longer texts, or drop the last positions.

        New rows are drawn as fresh ones are, or computed if `config.sinusoidal_pos_embds`.
        """
        table, n = self.get_position_embeddings(), new_num_position_embeddings
        old = table.weight
        if self.config.sinusoidal_pos_embds:
            table.weight = sinusoids(n, self.config.dim)
        elif n != len(old):
            new = default_generator.normal((n, old.shape[1]))
            new[: len(old)] = old[:n]
            table.weight = new
        self.config.max_position_embeddings = n


class DistilBertModel(DistilBertPreTrainedModel):
    output_class = BaseModelOutput

    def __init__(self, config: DistilBertConfig):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.transformer = Transformer(config)

    def forward(
        self,
        state: State,
        input_ids: Any = None,
        attention_mask: Any = None,
        inputs_embeds: Any = None,
    ) -> dict[str, Any]:
        x = self.embed(self.embeddings.word_embeddings, input_ids, inputs_embeds)
        state.look_around(x, attention_mask)
        return {"last_hidden_state": self.transformer(self.embeddings(x, state), state)}


class DistilBertForMaskedLM(ForMaskedLM, DistilBertPreTrainedModel):
    base_class = DistilBertModel
    tied = {"vocab_projector.weight": "distilbert.embeddings.word_embeddings.weight"}

    def __init__(self, config: DistilBertConfig):
        super().__init__(config)
        self.vocab_transform = Linear(config.dim, config.dim)
        self.vocab_layer_norm = LayerNorm(config.dim, 1e-12)
        self.vocab_projector = Linear(config.dim, config.vocab_size)
        self.act = ops.activation(config.activation)

    def predict(self, x: Any) -> Any:
        return self.vocab_projector(
            self.vocab_layer_norm(ops.activate(self.act, self.vocab_transform(x)))
        )


class FirstTokenHead(DistilBertPreTrainedModel):
    """In the place of BERT's pooler: a Linear `pre_classifier` and a relu, part of the head."""

    base_class = DistilBertModel

    def __init__(self, config: DistilBertConfig):
        super().__init__(config)
        self.dropout = Dropout(config.seq_classif_dropout)

    def add_pooler(self, config: DistilBertConfig) -> None:
        self.pre_classifier = Linear(config.dim, config.dim)

    def pool(self, state: State, **inputs: Any) -> Any:
        return ops.relu(self.pre_classifier(self.hidden(state, **inputs)[:, 0]))


class DistilBertForSequenceClassification(FirstTokenHead, ForSequenceClassification):
    pass


class DistilBertForMultipleChoice(FirstTokenHead, ForMultipleChoice):
    pass


class DistilBertForTokenClassification(ForTokenClassification, DistilBertPreTrainedModel):
    base_class = DistilBertModel

    def __init__(self, config: DistilBertConfig):
        super().__init__(config)
        self.dropout = Dropout(config.dropout)


class DistilBertForQuestionAnswering(ForQuestionAnswering, DistilBertPreTrainedModel):
    base_class = DistilBertModel

    def __init__(self, config: DistilBertConfig):
        if config.num_labels != 2:
            raise ValueError(f"config.num_labels should be 2, but it is {config.num_labels}")
        super().__init__(config)
        self.dropout = Dropout(config.qa_dropout)

    def hidden(self, state: State, **inputs: Any) -> Any:
        return self.dropout(super().hidden(state, **inputs))
