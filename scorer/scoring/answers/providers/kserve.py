"""KServe's open inference protocol v2 with JSON tensors, which Triton uses too, and Triton's generate extension.

Source: github.com/kserve/open-inference-protocol. Binary tensors (application/octet-stream) are not supported.
"""

from __future__ import annotations

from scorer.scoring.answers.answer import Choice, Expectation, Extracted, Surface
from scorer.scoring.answers.body_format import Stream
from scorer.scoring.answers.choice_builder import ChoiceBuilder
from scorer.scoring.answers.shared_fields import vectors_of
from scorer.scoring.answers.strict_json import MAX_CHOICES, clean, items, malformed, mapping, string, too_large

MAX_VALUES = 16 << 20
_FLOATS = ("FP16", "FP32", "FP64", "BF16")


def is_document(value: object) -> bool:
    return isinstance(value, dict) and (_has_tensors(value.get("outputs")) or _is_generated(value))


def _has_tensors(outputs: object) -> bool:
    """Return whether ``outputs`` contains tensors. Mistral's models on Bedrock have texts in a field of this name."""
    return isinstance(outputs, list) and all(not isinstance(one, dict) or "text" not in one for one in outputs)


def is_event(_: str, doc: dict[str, object]) -> bool:
    return _is_generated(doc)


def document(value: object, expected: Expectation) -> Extracted:
    doc = mapping(value, "body")
    model = clean(string(doc.get("model_name"), "model_name"))
    if _is_generated(doc):
        return Extracted(Surface.KSERVE_INFER, (_generated([doc], expected),), model=model)
    outputs = [mapping(raw, "an output") for raw in items(doc.get("outputs"), "outputs", MAX_CHOICES)]
    if not outputs:
        raise malformed("outputs is empty")
    texts: list[str] = []
    tensors: dict[str, object] = {}
    for output in outputs:
        values = _flat(output.get("data"))
        if output.get("datatype") == "BYTES":
            texts += [clean(string(value, "a BYTES element")) for value in values]
        else:
            tensors[clean(string(output.get("name"), "an output's name"))] = _shaped(values, output)
    return Extracted(
        Surface.KSERVE_INFER,
        choices=_choices(texts, tensors, expected),
        vectors=_vectors(outputs),
        label=_label(outputs),
        model=model,
    )


def stream(body: Stream, expected: Expectation) -> Extracted:
    """Read Triton's generate_stream. It has no final event, so every stream counts as complete."""
    docs = [doc for _, doc in body.objects()]
    return Extracted(
        Surface.KSERVE_INFER,
        (_generated(docs, expected),),
        model=clean(string(docs[-1].get("model_name"), "model_name")),
    )


def _is_generated(doc: dict[str, object]) -> bool:
    return isinstance(doc.get("text_output"), str)


def _generated(docs: list[dict[str, object]], expected: Expectation) -> Choice:
    builder = ChoiceBuilder()
    for doc in docs:
        builder.add_content(doc.get("text_output"))
    return builder.build(expected)


def _choices(texts: list[str], tensors: dict[str, object], expected: Expectation) -> tuple[Choice, ...]:
    """Return one choice for each text.

    ``tensors`` are the output tensors without texts, by name. They become the structured data of the first choice.
    """
    if len(texts) > MAX_CHOICES:
        raise too_large(f"more than {MAX_CHOICES} texts")
    choices = [ChoiceBuilder([text], finish="stop").build(expected) for text in texts] or [Choice()]
    if tensors and choices[0].structured is None:
        first = choices[0]
        choices[0] = Choice(first.text, finish_reason=first.finish_reason, structured=tensors)
    return tuple(choices)


def _vectors(outputs: list[dict[str, object]]) -> tuple[tuple[float, ...], ...]:
    """Return one vector for each row of the output tensor that contains floats.

    Return no vectors if no output tensor contains floats, or if several tensors contain floats.
    """
    floats = [output for output in outputs if output.get("datatype") in _FLOATS]
    if len(floats) != 1:
        return ()
    shape = _shape(floats[0])
    values = _flat(floats[0].get("data"))
    if not values:
        raise malformed("a tensor is empty")
    width = shape[-1] if shape else len(values)
    return vectors_of([values[i : i + width] for i in range(0, len(values), width)])


def _label(outputs: list[dict[str, object]]) -> str:
    """Return the class numbers in a classifier's response, one per line, or "" if the response is of another kind.

    A classifier's response has exactly one output tensor, which has at most MAX_CHOICES integers or booleans.
    """
    if len(outputs) != 1 or outputs[0].get("datatype") in (*_FLOATS, "BYTES"):
        return ""
    values = _flat(outputs[0].get("data"))
    return "\n".join(str(value).lower() for value in values) if len(values) <= MAX_CHOICES else ""


def _shape(output: dict[str, object]) -> list[int]:
    shape = [size for size in items(output.get("shape"), "shape", 16) if isinstance(size, int) and size > 0]
    if len(shape) != len(items(output.get("shape"), "shape", 16)):
        raise malformed("a tensor's shape is not made of positive numbers")
    return shape


def _shaped(values: list[object], output: dict[str, object]) -> object:
    shape, total = _shape(output), 1
    for size in shape:
        total *= size
    if total != len(values):
        raise malformed(f"a tensor of shape {shape} has {len(values)} values")
    shaped = values
    for size in reversed(shape[1:]):
        shaped = [shaped[i : i + size] for i in range(0, len(shaped), size)]
    return shaped


def _flat(data: object) -> list[object]:
    """Return the values of a tensor in row-major order. The protocol allows ``data`` to be nested or flat."""
    values = items(data, "data", MAX_VALUES)
    while any(isinstance(value, list) for value in values):
        values = [inner for value in values for inner in items(value, "data", MAX_VALUES)]
        if len(values) > MAX_VALUES:
            raise too_large(f"a tensor of more than {MAX_VALUES} values")
    return values
