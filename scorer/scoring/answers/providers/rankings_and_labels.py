"""Rankings and class labels: Cohere's rerank v1 and v2 (also Jina, vLLM, llama.cpp), TEI's rerank and predict, and
vLLM's score and classify.

Sources: docs.cohere.com/reference/rerank, huggingface.github.io/text-embeddings-inference, docs.vllm.ai (Online
Serving).
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Choice, Expectation, Extracted, Surface
from scorer.scoring.answers.shared_fields import model_of, usage_of
from scorer.scoring.answers.strict_json import clean, count, dump, items, malformed, mapping, number, string

_COHERE_KEYS = {"results", "id", "meta", "model", "usage", "object"}


def is_cohere(value: object, hint: Surface) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("results"), list):
        return False
    results = value["results"]
    if not results:  # an empty ranking is an answer too
        return hint in (Surface.COHERE_RERANK, Surface.TEI_RERANK, Surface.UNKNOWN) and value.keys() <= _COHERE_KEYS
    return isinstance(results[0], dict) and "index" in results[0] and _score_of(results[0]) is not None


def cohere(value: object, _: Expectation) -> Extracted:
    doc = mapping(value, "body")
    input_tokens, _output_tokens = usage_of(doc.get("usage"))
    ranking = _ranking(items(doc.get("results"), "results"))
    return Extracted(Surface.COHERE_RERANK, ranking=ranking, input_tokens=input_tokens, model=model_of(doc))


def is_tei(value: object, hint: Surface) -> bool:
    if value == []:
        return hint is Surface.TEI_RERANK
    return isinstance(value, list) and isinstance(value[0], dict) and "index" in value[0] and "score" in value[0]


def tei(value: object, _: Expectation) -> Extracted:
    return Extracted(Surface.TEI_RERANK, ranking=_ranking(items(value, "body")))


def is_predict(value: object, _: Surface) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, list) and first:
        first = first[0]
    return isinstance(first, dict) and "label" in first and "score" in first


def predict(value: object, _: Expectation) -> Extracted:
    """Read TEI's response to ``/predict``: the answer is the label with the highest score.

    For a batch, the answer is the best label of each input, one per line.
    """
    rows = items(value, "body")
    batch = rows if isinstance(rows[0], list) else [rows]
    return Extracted(Surface.TEI_PREDICT, label="\n".join(_label(items(row, "a prediction")) for row in batch))


def is_score(value: object, _: Surface) -> bool:
    first = _first_of_data(value)
    return "index" in first and isinstance(first.get("score"), int | float)


def score(value: object, _: Expectation) -> Extracted:
    """Read vLLM's response to ``/score``: a ranking of the texts by how well they fit the query.

    A single text has no rank, so its score itself is the answer: structured data.
    """
    doc = mapping(value, "body")
    input_tokens, _output_tokens = usage_of(doc.get("usage"))
    ranking = _ranking(items(doc.get("data"), "data"))
    choices: tuple[Choice, ...] = ()
    if len(ranking) == 1:
        structured = {"score": ranking[0][1]}
        choices, ranking = (Choice(dump(structured), structured=structured),), ()
    return Extracted(Surface.VLLM_SCORE, choices, ranking=ranking, input_tokens=input_tokens, model=model_of(doc))


def is_classes(value: object, _: Surface) -> bool:
    return isinstance(_first_of_data(value).get("probs"), list)


def classes(value: object, _: Expectation) -> Extracted:
    """Read vLLM's response to ``/classify``: the label of each input, one per line."""
    doc = mapping(value, "body")
    input_tokens, _output_tokens = usage_of(doc.get("usage"))
    label = "\n".join(_class(mapping(row, "a class")) for row in items(doc.get("data"), "data"))
    return Extracted(Surface.VLLM_CLASSIFY, label=label, input_tokens=input_tokens, model=model_of(doc))


def _first_of_data(value: object) -> dict[str, object]:
    data = value.get("data") if isinstance(value, dict) else None
    return data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}


def _class(row: dict[str, object]) -> str:
    """Return the label, or the number of the most probable class if the model has no labels."""
    if isinstance(row.get("label"), str):
        return clean(string(row["label"], "label"))
    probabilities = [number(one, "a probability") for one in items(row.get("probs"), "probs")]
    if not probabilities:
        raise malformed("a class has no probabilities")
    return str(probabilities.index(max(probabilities)))


def _label(row: list[object]) -> str:
    best: tuple[float, str] | None = None
    for raw in row:
        item = mapping(raw, "a label")
        score, label = number(item.get("score"), "a score"), clean(string(item.get("label"), "label"))
        if best is None or score > best[0]:
            best = (score, label)
    if best is None:
        raise malformed("a prediction has no label")
    return best[1]


def _ranking(results: list[object]) -> tuple[tuple[int, float], ...]:
    """Return the document index and the score of each result, the best score first.

    The results are sorted here, because some servers send them in the order of the documents. Results with equal scores
    stay in the order in which they were sent.
    """
    ranked: list[tuple[int, float]] = []
    for raw in results:
        item = mapping(raw, "a result")
        index = item.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise malformed("the index of a result is not a position")
        ranked.append((count(index), number(_score_of(item), "a result's score")))
    if len({index for index, _ in ranked}) < len(ranked):
        raise malformed("two results have the same index")
    return tuple(sorted(ranked, key=lambda item: -item[1]))


def _score_of(item: dict[str, object]) -> object:
    return item.get("relevance_score", item.get("score"))
