"""Fields that several forms have under the same names."""

from __future__ import annotations

from array import array

from scorer.scoring.answers.strict_json import MAX_ITEMS, clean, count, items, malformed, too_large

MAX_DIMENSIONS = 65_536


def usage_of(value: object) -> tuple[int, int]:
    """(input, output) tokens of a ``usage`` object in OpenAI's or Anthropic's names; 0 when not told.

    Anthropic counts the tokens that the prompt cache served apart from ``input_tokens``; here they belong to the input.
    """
    usage = value if isinstance(value, dict) else {}
    given = count(usage.get("prompt_tokens")) or count(usage.get("input_tokens"))
    given += count(usage.get("cache_read_input_tokens")) + count(usage.get("cache_creation_input_tokens"))
    return given, count(usage.get("completion_tokens")) or count(usage.get("output_tokens"))


def model_of(doc: dict[str, object]) -> str:
    model = doc.get("model")
    return clean(model) if isinstance(model, str) else ""


def vectors_of(rows: list[object]) -> tuple[tuple[float, ...], ...]:
    """Rows of numbers as float32 values, all of one length: decimal and base64 spellings of a vector are then equal."""
    if len(rows) > MAX_ITEMS:
        raise too_large(f"more than {MAX_ITEMS} vectors")
    vectors = tuple(vector_of(row) for row in rows)
    if not vectors:
        raise malformed("no vector")
    if len({len(vector) for vector in vectors}) > 1:
        raise malformed("vectors of different lengths")
    return vectors


def vector_of(row: object) -> tuple[float, ...]:
    values = items(row, "a vector", MAX_DIMENSIONS)
    if not values:
        raise malformed("a vector is empty")
    try:
        return finite(array("f", values))  # type: ignore[arg-type]  # refuses what is no number
    except (TypeError, OverflowError):
        raise malformed("a vector holds something else than numbers") from None


def finite(values: array[float]) -> tuple[float, ...]:
    if not all(-3.5e38 < value < 3.5e38 for value in values):  # NaN fails every comparison
        raise malformed("a vector holds a number that is not finite")
    return tuple(values)
