"""The meaning of each signal in one sentence for people (docs/reference/scoring.md has the details)."""

from __future__ import annotations

MEANINGS = {
    "agreement": "how likely both answers mean the same, lowered by defects of form",
    "cosine": "the similarity of meaning of both texts, from their embeddings; 1 is the same",
    "cosine_worst": "the similarity of the least similar part",
    "word_overlap": "the share of words that both texts have at the same place; 1 is all",
    "embedding_sampled": "only a sample of a very long text was embedded",
    "compared_share": "the share of the longer answer that was compared word by word",
    "shared_characters": "the share of common characters, where the model cannot read the script",
    "numbers": "a number, date, unit or magnitude differs",
    "negation": "one side denies what the other states",
    "swapped_words": "a word became its opposite, or words exchanged places that matter",
    "names": "a name or an address differs",
    "omission": "one side lacks a sentence, a row or a limiting clause",
    "wording": "another word differs, which may be a synonym",
    "code": "the code differs in meaning, or parses on one side only",
    "final_answer": "both declare a final answer, and these differ",
    "refusal": "one side refuses",
    "empty": "one side is empty",
    "length": "one side is much longer",
    "truncation": "one side is cut off",
    "repetition": "one side repeats itself",
    "off_topic": "a passage resembles nothing on the other side",
    "language": "one side is in another language or script",
    "garbling": "one side has broken characters or words that do not exist",
    "leaked_tokens": "one side shows special tokens or parts of a chat template",
    "operators": "a sign such as + or > differs in an otherwise equal short text",
    "confidence": "one side was much less sure of its words",
    "meaning": "the similarity of meaning is low",
    "unknown_script": "the embedding model cannot read the script",
    "partly_compared": "the answers differ in a part that was not compared word by word",
    "exact_call": "1 if both make the same calls of tools with equal arguments",
    "json": "one side is not JSON",
    "json_in_prose": "the JSON is inside other text",
    "schema": "the JSON does not follow its schema",
    "fields_missing": "the candidate lacks fields",
    "fields_added": "the candidate has additional fields",
    "field_types": "fields have another type",
    "field_values": "fields have another value",
    "fields_limit": "there are more fields than are compared",
    "choices": "one side has another number of choices",
    "label": "the class differs",
    "tool": "another tool is called",
    "arguments": "the arguments of a call differ",
    "top_document": "another document is ranked first",
    "documents": "the ranking has other documents or another order",
    "vectors": "the vectors point in other directions",
    "vector_count": "one side has another number of vectors",
    "dimensions": "the vectors have another length",
    "neighbours": "the vectors have other nearest neighbours",
}


def meaning_of(signal: str) -> str:
    """Return the sentence, or "" for a signal that is not in this table."""
    return MEANINGS.get(signal.removeprefix("baseline_"), "")
