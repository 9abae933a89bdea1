"""Read an answer in a custom JSON format with the configured JSONPath."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from scorer.scoring.answers.answer import Choice, CustomSurface, Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Body, JsonDocument, Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.shared_fields import vectors_of
from scorer.scoring.answers.strict_json import clean_value, dump, malformed, truncated

if TYPE_CHECKING:
    from jsonpath import JSONPath


def read_custom(body: Body, surface: CustomSurface, expected: Expectation) -> Extracted | None:
    """Return the answer in a body, or None if the configured JSONPath matches nothing in the body."""
    match body:
        case JsonDocument(value):
            found = _find(surface.jsonpath, value)
            return _answer(found, expected) if found else None
        case Stream() as stream:
            return _stream(stream, surface, expected)
        case _:
            return None


def _stream(stream: Stream, surface: CustomSurface, expected: Expectation) -> Extracted | None:
    found = [match for item in stream.items for match in _find(surface.jsonpath, item.value)]
    if not found:
        return None
    ended = stream.done or not surface.done
    ended = ended or any(any(_find(surface.done, item.value)) for item in stream.items)
    if stream.cut or not ended:
        raise truncated("the stream ends before its last event")
    return _answer(found, expected)


def _answer(found: list[object], expected: Expectation) -> Extracted:
    """Build the answer from the values that the JSONPath found.

    Strings are joined into one text. Lists of numbers, or one list of such lists, are vectors. All other values are
    structured data, and their JSON is the text.
    """
    if all(isinstance(value, str) or value is None for value in found):
        builder = ChoiceBuilder(finish="stop")
        for value in found:
            builder.add_content(value)
        return Extracted(Surface.CUSTOM, (builder.build(expected),))
    if all(_is_row(value) for value in found):
        return Extracted(Surface.CUSTOM, vectors=vectors_of(found))
    value = clean_value(found[0] if len(found) == 1 else found)
    if isinstance(value, list) and value and all(_is_row(row) for row in value):
        return Extracted(Surface.CUSTOM, vectors=vectors_of(value))
    return Extracted(Surface.CUSTOM, (Choice(dump(value), structured=value),))


def _is_row(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, int | float) for v in value)


def _find(path: str, value: object) -> list[object]:
    if not isinstance(value, dict | list):
        return []
    from jsonpath import JSONPathError  # imported here, as the import is slow and rarely needed

    try:
        return list(_compiled(path).findall(value))
    except (JSONPathError, RecursionError) as error:
        raise malformed(f"{path}: {error}") from None


@lru_cache(maxsize=64)
def _compiled(path: str) -> JSONPath:
    from jsonpath import compile as compile_path

    return compile_path(path)  # type: ignore[return-value]
