"""Turn a request and a response body of any provider into one typed answer.

``extract`` reads the shape of the body (``body_format.py``) and finds the provider format that matches it
(``provider_detection.py``). The module of that format in ``providers/`` then builds the answer. No function does I/O.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import (
    Choice,
    CustomSurface,
    Expectation,
    Extracted,
    FinishReason,
    Surface,
    ToolCall,
    Unusable,
    UnusableReason,
)
from scorer.scoring.answers.extract_answer import extract
from scorer.scoring.answers.request_expectation import expectation

__all__ = [
    "Choice",
    "CustomSurface",
    "Expectation",
    "Extracted",
    "FinishReason",
    "Surface",
    "ToolCall",
    "Unusable",
    "UnusableReason",
    "expectation",
    "extract",
]
