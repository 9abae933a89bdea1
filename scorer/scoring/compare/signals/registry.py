"""The signals of free text. Each is a function of a pair of documents, in a file of its own, and reads no other signal.

To add one, write such a file, add its function here, and give its name a weight in glidepath/config/comparison.py.
"""

from __future__ import annotations

from scorer.scoring.compare.result import Signal
from scorer.scoring.compare.signals.changed_code import changed_code
from scorer.scoring.compare.signals.changed_language import language
from scorer.scoring.compare.signals.changed_names import names
from scorer.scoring.compare.signals.changed_negation import negation
from scorer.scoring.compare.signals.changed_numbers import numbers
from scorer.scoring.compare.signals.changed_operators import operators
from scorer.scoring.compare.signals.changed_wording import wording
from scorer.scoring.compare.signals.document_pair import DocumentPair, Feature
from scorer.scoring.compare.signals.final_answers import final_answers
from scorer.scoring.compare.signals.garbling import garbling
from scorer.scoring.compare.signals.off_topic import off_topic
from scorer.scoring.compare.signals.omitted_passage import omission
from scorer.scoring.compare.signals.one_sided_defects import one_sided_emptiness, one_sided_leak, one_sided_refusal
from scorer.scoring.compare.signals.repetition import repetition
from scorer.scoring.compare.signals.swapped_words import swapped_words
from scorer.scoring.compare.signals.text_length import length
from scorer.scoring.compare.signals.token_confidence import confidence
from scorer.scoring.compare.signals.truncation import truncation

# Two good answers may differ in such a signal about content, so its relevance depends on the noise floor (ADR 0034).
FACTS: tuple[Feature, ...] = (numbers, negation, swapped_words, names, omission, wording)
OTHERS: tuple[Feature, ...] = (
    one_sided_refusal,
    one_sided_emptiness,
    length,
    truncation,
    repetition,
    language,
    garbling,
    one_sided_leak,
    changed_code,
    operators,
    off_topic,
    final_answers,
    confidence,
)


def measured(features: tuple[Feature, ...], pair: DocumentPair) -> list[Signal]:
    """Return the signals of the features that apply to the pair."""
    return [signal for feature in features if (signal := feature(pair)) is not None]
