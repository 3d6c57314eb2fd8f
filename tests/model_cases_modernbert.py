"""ModernBERT, which the reference has since 4.48: make its goldens with 4.57."""

from __future__ import annotations

from model_cases import LEFT
from model_cases_encoders import encoder

CASES: dict[str, tuple[str, dict, dict]] = {
    **encoder("modernbert", "ModernBert"),
    **encoder("modernbert", "ModernBert", {" left": LEFT}, norm_bias=True, local_rope_theta=None),
}
