"""Redacts the label of feedback before it is stored, because people write names and addresses into such texts, too."""

from __future__ import annotations

from dataclasses import replace

from extproc.extproc_errors import NotRedactedError
from extproc.redaction import MARK, Redactor
from glidepath.config.retention import RedactionSection
from glidepath.feedback import MAX_LABEL_CHARS, GivenFeedback


class LabelRedactor:
    """Applies the patterns of the ``redaction`` section to labels, as extproc does to bodies. It is thread-safe."""

    def __init__(self, section: RedactionSection) -> None:
        self._redactor = Redactor(section)

    def __call__(self, given: GivenFeedback) -> GivenFeedback:
        """Return the feedback with its label redacted. A label that cannot be redacted in time is left out."""
        if not given.label:
            return given
        try:
            text = self._redactor.redact(given.label.encode("utf-8", "replace"), "text/plain").decode(
                "utf-8", "replace"
            )
        except NotRedactedError:
            text = MARK
        return replace(given, label=text[: 2 * MAX_LABEL_CHARS])
