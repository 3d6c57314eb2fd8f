"""Decoders that are newer than transformers 4.46.3, or not whole in it: answers of 4.57.6."""

from __future__ import annotations

from model_cases_decoders import decoder

# the caches of layers with a window differ: theirs holds the window only
CASES: dict[str, tuple[str, dict, dict]] = {
    **decoder("gemma2", use_cache=False),
    **decoder("gemma3_text", use_cache=False),
    **decoder("olmo2"),
    **decoder("qwen3", use_cache=False),
    **decoder("smollm3", use_cache=False),
}
