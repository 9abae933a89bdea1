"""Read the fields that several provider formats have in common."""

from __future__ import annotations

from array import array

from scorer.scoring.answers.strict_json import MAX_ITEMS, clean, count, items, malformed, too_large

MAX_DIMENSIONS = 65_536


def usage_of(value: object) -> tuple[int, int]:
    """Return a tuple: the numbers of input and output tokens in a ``usage`` object of OpenAI or Anthropic.

    A missing count is 0. Anthropic's ``input_tokens`` does not include the tokens of its prompt cache, so this function
    adds them.
    """
    usage = value if isinstance(value, dict) else {}
    input_tokens = count(usage.get("prompt_tokens")) or count(usage.get("input_tokens"))
    input_tokens += count(usage.get("cache_read_input_tokens")) + count(usage.get("cache_creation_input_tokens"))
    return input_tokens, count(usage.get("completion_tokens")) or count(usage.get("output_tokens"))


def model_of(doc: dict[str, object]) -> str:
    """Return the name of the model, or "" if the body has none."""
    model = doc.get("model")
    return clean(model) if isinstance(model, str) else ""


def vectors_of(rows: list[object]) -> tuple[tuple[float, ...], ...]:
    """Return JSON arrays of numbers as vectors of float32 values. Raises UnusableBodyError if their lengths differ.

    Rounding to float32 makes a vector in decimal notation equal to the same vector in base64.
    """
    if len(rows) > MAX_ITEMS:
        raise too_large(f"more than {MAX_ITEMS} vectors")
    vectors = tuple(vector_of(row) for row in rows)
    if not vectors:
        raise malformed("there is no vector")
    if len({len(vector) for vector in vectors}) > 1:
        raise malformed("vectors of different lengths")
    return vectors


def vector_of(row: object) -> tuple[float, ...]:
    """Return a JSON array of numbers as one vector of float32 values."""
    values = items(row, "a vector", MAX_DIMENSIONS)
    if not values:
        raise malformed("a vector is empty")
    try:
        return finite(array("f", values))  # type: ignore[arg-type]  # raises TypeError for other values
    except (TypeError, OverflowError):
        raise malformed("a vector has a value that is not a number") from None


def finite(values: array[float]) -> tuple[float, ...]:
    """Return the values of a vector as a tuple. Raises UnusableBodyError if a value is NaN or infinite."""
    if not all(-3.5e38 < value < 3.5e38 for value in values):  # NaN fails every comparison
        raise malformed("a vector has a number that is not finite")
    return tuple(values)
