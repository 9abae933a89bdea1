"""The embedding formats of OpenAI, Ollama, Cohere (v1 and v2) and TEI (Text Embeddings Inference).

Sources: platform.openai.com/docs/api-reference/embeddings (base64 encodes little-endian float32), docs/api.md of
github.com/ollama/ollama, docs.cohere.com/reference/embed, huggingface.github.io/text-embeddings-inference.
"""

from __future__ import annotations

import base64
import binascii
import sys
from array import array

from scorer.scoring.answers.answer import Expectation, Extracted, Surface
from scorer.scoring.answers.shared_fields import MAX_DIMENSIONS, finite, model_of, usage_of, vector_of, vectors_of
from scorer.scoring.answers.strict_json import count, items, malformed, mapping, too_large

_COHERE_ONLY = {"id", "texts", "meta", "response_type"}


def is_openai(value: object, hint: Surface) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        return False
    data = value["data"]
    return hint is Surface.OPENAI_EMBEDDINGS if not data else isinstance(data[0], dict) and "embedding" in data[0]


def openai(value: object, _: Expectation) -> Extracted:
    doc = mapping(value, "body")
    rows: list[tuple[int, tuple[float, ...]]] = []
    for position, raw in enumerate(items(doc.get("data"), "data")):
        item = mapping(raw, "an embedding")
        index = item.get("index")
        vector = item.get("embedding")
        rows.append((count(index) if index is not None else position, _decode(vector)))
    rows.sort(key=lambda row: row[0])
    vectors = vectors_of([list(vector) for _, vector in rows])
    input_tokens, _output_tokens = usage_of(doc.get("usage"))
    return Extracted(Surface.OPENAI_EMBEDDINGS, vectors=vectors, input_tokens=input_tokens, model=model_of(doc))


def is_ollama(value: object, _: Surface) -> bool:
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("embedding"), list) and "data" not in value:
        return True
    return _are_rows(value.get("embeddings")) and not _COHERE_ONLY & value.keys()


def ollama(value: object, _: Expectation) -> Extracted:
    doc = mapping(value, "body")
    rows = [doc["embedding"]] if "embedding" in doc else items(doc.get("embeddings"), "embeddings")
    return Extracted(
        Surface.OLLAMA_EMBED,
        vectors=vectors_of(rows),
        input_tokens=count(doc.get("prompt_eval_count")),
        model=model_of(doc),
    )


def is_cohere(value: object, _: Surface) -> bool:
    if not isinstance(value, dict):
        return False
    return isinstance(value.get("embeddings"), dict) or _are_rows(value.get("embeddings"))


def cohere(value: object, _: Expectation) -> Extracted:
    """Read Cohere's embeddings: a list of vectors, or a list of vectors for each number type.

    v1 sends one list, unless the request has ``embedding_types``; v2 sends a list for each type. The list of type
    ``float`` is read. If it is missing, the first list in alphabetical order of the types is read.
    """
    doc = mapping(value, "body")
    found = doc.get("embeddings")
    if isinstance(found, dict):
        found = found.get("float") or next((rows for _, rows in sorted(found.items()) if rows), None)
    rows: list[object] = [list(_decode(row)) for row in items(found, "embeddings")]
    billed = mapping(mapping(doc.get("meta"), "meta").get("billed_units"), "billed_units")
    return Extracted(Surface.COHERE_EMBED, vectors=vectors_of(rows), input_tokens=count(billed.get("input_tokens")))


def is_tei(value: object, hint: Surface) -> bool:
    if not (isinstance(value, list) and value and isinstance(value[0], list) and value[0]):
        return False
    return isinstance(value[0][0], int | float) or (hint is Surface.TEI_EMBED and isinstance(value[0][0], list))


def tei(value: object, _: Expectation) -> Extracted:
    rows = items(value, "body")
    if isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], list):  # /embed_all: one vector per token
        rows = [vector for row in rows for vector in items(row, "an input's vectors")]
    return Extracted(Surface.TEI_EMBED, vectors=vectors_of(rows))


def _are_rows(value: object) -> bool:
    """Return whether ``value`` is a list of vectors. Gemini's ``embeddings`` is a list of objects."""
    return isinstance(value, list) and not (value and isinstance(value[0], dict))


def _decode(vector: object) -> tuple[float, ...]:
    if not isinstance(vector, str):
        return vector_of(vector)
    if len(vector) > MAX_DIMENSIONS * 6:
        raise too_large(f"a vector of more than {MAX_DIMENSIONS} dimensions")
    try:
        raw = base64.b64decode(vector, validate=True)
        values = array("f", raw)
    except (binascii.Error, ValueError):
        raise malformed("an embedding is not base64 of float32") from None
    if sys.byteorder == "big":
        values.byteswap()
    if not values:
        raise malformed("a vector is empty")
    return finite(values)
