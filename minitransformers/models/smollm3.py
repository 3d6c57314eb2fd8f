"""SmolLM3 (Bakouch et al., 2025): Llama, of whose layers every fourth has no positions."""

from __future__ import annotations

from typing import Any

from ..core.state import State
from . import llama
from .config import PretrainedConfig


class SmolLM3Config(PretrainedConfig):
    model_type = "smollm3"
    vocab_size: int = 128256
    hidden_size: int = 2048
    intermediate_size: int = 11008
    num_hidden_layers: int = 36
    num_attention_heads: int = 16
    num_key_value_heads: int | None = 4
    hidden_act: str = "silu"
    max_position_embeddings: int = 32768
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    pad_token_id: int | None = 128004
    bos_token_id: int | None = 128000
    eos_token_id: int | list | None = 128001
    rope_theta: float = 2000000.0
    rope_scaling: dict | None = None
    use_sliding_window: bool = False
    sliding_window: int | None = None
    no_rope_layers: list | None = None
    no_rope_layer_interval: int = 4
    layer_types: list | None = None
    attention_bias: bool = False
    attention_dropout: float = 0.0
    mlp_bias: bool = False

    def __init__(self, *values: Any, **kwargs: Any):
        super().__init__(*values, **kwargs)
        llama.fill_heads(self)
        if self.no_rope_layers is None:  # despite its name it is 1 where a layer has positions
            layers, every = range(1, self.num_hidden_layers + 1), self.no_rope_layer_interval
            self.no_rope_layers = [int(layer % every != 0) for layer in layers]
        if self.layer_types is None:
            slides = self.use_sliding_window and self.sliding_window is not None
            self.layer_types = [
                "sliding_attention" if slides and not turns else "full_attention"
                for turns in self.no_rope_layers
            ]


class Attention(llama.Attention):
    def __init__(self, config: SmolLM3Config, layer: int):
        assert config.layer_types is not None
        assert config.no_rope_layers is not None
        slides = config.use_sliding_window and config.layer_types[layer] == "sliding_attention"
        super().__init__(config, layer, window=config.sliding_window if slides else None)
        self.turns = config.no_rope_layers[layer]

    def turn(self, state: State, q: Any, k: Any) -> tuple:
        return state.rotate(q, k) if self.turns else (q, k)


class Block(llama.Block):
    attention = Attention


class SmolLM3Model(llama.LlamaModel):
    config_class = SmolLM3Config
    block = Block


class SmolLM3ForCausalLM(llama.LlamaForCausalLM):
    config_class = SmolLM3Config
    base_class = SmolLM3Model


class SmolLM3ForSequenceClassification(llama.LlamaForSequenceClassification):
    config_class = SmolLM3Config
    base_class = SmolLM3Model


class SmolLM3ForTokenClassification(llama.LlamaForTokenClassification):
    config_class = SmolLM3Config
    base_class = SmolLM3Model


class SmolLM3ForQuestionAnswering(llama.LlamaForQuestionAnswering):
    config_class = SmolLM3Config
    base_class = SmolLM3Model
