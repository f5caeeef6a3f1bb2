"""What of a notebook a model sees for a question, within a budget of tokens; pure.

The law: the question goes whole, secrets are taken out before anything is cut, every item knows where it came from
and what was cut, and what did not fit is listed. The budget holds by ``estimate_tokens``, unless the question and
the product's own instructions (``FLOOR_TOKENS``) alone are larger.
"""

from __future__ import annotations

from .builder import FLOOR_TOKENS, Given, build
from .excerpts import estimate_tokens
from .redact import Redactor

__all__ = ["FLOOR_TOKENS", "Given", "Redactor", "build", "estimate_tokens"]
