"""Turn a request and a response body of any provider into one typed answer.

``extract`` works in three steps. ``body_format.py`` parses the body as a JSON document, a stream or plain text.
``provider_detection.py`` finds the provider format of the body. The module of that format in ``providers/`` builds the
answer. No function does I/O.
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
