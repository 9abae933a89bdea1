"""Redacts the labels of feedback and the notes on judgements before they are stored.

People write names and addresses into such texts, too.
"""

from __future__ import annotations

from dataclasses import replace

from extproc.extproc_errors import NotRedactedError
from extproc.redaction import MARK, Redactor
from glidepath.config.redaction import RedactionSection
from glidepath.feedback import MAX_LABEL_CHARS, GivenFeedback


class LabelRedactor:
    """Applies the patterns of the ``redaction`` section to texts, as extproc does to bodies. It is thread-safe."""

    def __init__(self, section: RedactionSection) -> None:
        self._redactor = Redactor(section)

    def __call__(self, given: GivenFeedback) -> GivenFeedback:
        """Return the feedback with its label redacted."""
        return replace(given, label=self.redacted(given.label)[: 2 * MAX_LABEL_CHARS]) if given.label else given

    def redacted(self, text: str) -> str:
        """Return the text redacted, or MARK if it cannot be redacted in time."""
        try:
            return self._redactor.redact(text.encode("utf-8", "replace"), "text/plain").decode("utf-8", "replace")
        except NotRedactedError:
            return MARK
