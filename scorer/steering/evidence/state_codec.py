"""Encode the stored evidence as JSON values, and decode it. The evidence consists of frozen dataclasses.

The type of a field determines the form of its value:

| type | JSON value |
|---|---|
| ``int``, ``float``, ``bool``, ``str`` | the value itself; a float must be finite |
| ``X | None`` | null, or the JSON value of X |
| ``tuple[X, ...]`` | a list |
| ``Mapping[str, X]`` | an object |
| a dataclass | a list of the values of its fields, in their order |
| a union of dataclasses | a list of the name of the class and then the values of its fields |

A dataclass has no field names in the JSON text, because with them the text would be about 30 % longer and a checkpoint
would take longer. Instead, a schema is stored beside the state: a digest of the names and types of all fields. It
prevents a value from being read as another field. A state with another schema, or with a value of another type, raises
InputError. The caller then starts with empty evidence.

See ADR 0134.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from itertools import repeat
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from glidepath.errors import InputError

T = TypeVar("T")
_SHOWN_CHARS = 40


class _MisfitError(Exception):
    """A stored value that does not fit the type of its field.

    ``path``: the names of the fields that lead to the value, the innermost name first.
    """

    def __init__(self, expected: str, raw: object) -> None:
        super().__init__(f"must be {expected} (got {str(raw)[:_SHOWN_CHARS]!r})")
        self.path: list[str] = []


@dataclass(frozen=True, slots=True)
class _Form:
    """The stored form of the values of one type: the type's schema, its encoder and its decoder.

    ``decode`` raises _MisfitError for a value that does not fit the type.
    """

    schema: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def encode(state: object) -> dict[str, Any]:
    """Return ``state``, a frozen dataclass, as a JSON object with the keys ``schema`` and ``state``."""
    kind: Any = type(state)
    return {"schema": _digest(kind), "state": _form(kind).encode(state)}


def decode(kind: type[T], raw: object) -> T:
    """Return the dataclass of type ``kind`` that ``encode`` has encoded as ``raw``.

    Raises InputError if a value does not fit its type. The error contains the path of the value.
    """
    wanted: Any = kind
    try:
        return cast("T", _form(wanted).decode(_state_of(raw, _digest(wanted))))
    except _MisfitError as error:
        place = ".".join([kind.__name__, *reversed(error.path)])
        raise InputError(f"stored evidence: {place}: {error}") from error


def _state_of(raw: object, schema: str) -> object:
    if not isinstance(raw, dict) or raw.keys() != {"schema", "state"}:
        raise _MisfitError("an object with the keys schema, state", raw)
    if raw["schema"] != schema:
        raise _MisfitError(f"of the schema {schema}, which this version has", raw["schema"])
    return raw["state"]


@cache
def _digest(kind: Any) -> str:
    return hashlib.blake2b(_form(kind).schema.encode(), digest_size=6).hexdigest()


@cache
def _form(kind: Any) -> _Form:
    if kind in _SCALARS:
        return _SCALARS[kind]
    if is_dataclass(kind):
        return _dataclass_form(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _union_form(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return _list_form(_form(arguments[0]))
    if origin is Mapping and arguments[0] is str:
        return _mapping_form(_form(arguments[1]))
    raise TypeError(f"the codec has no form for {kind}")


def _same(value: Any) -> Any:
    return value


def _scalar(kind: type, expected: str) -> _Form:
    def decode_scalar(raw: Any) -> Any:
        if type(raw) is not kind:  # isinstance would accept a bool as an int
            raise _MisfitError(expected, raw)
        return raw

    return _Form(kind.__name__, _same, decode_scalar)


def _decode_float(raw: Any) -> float:
    if type(raw) not in (int, float) or not math.isfinite(raw):
        raise _MisfitError("a finite number", raw)
    return float(raw)


_INT = _scalar(int, "a whole number")
_SCALARS: dict[Any, _Form] = {
    int: _INT,
    float: _Form("float", _same, _decode_float),
    bool: _scalar(bool, "true or false"),
    str: _scalar(str, "a string"),
}


def _dataclass_form(kind: Any) -> _Form:
    names, types = [field.name for field in fields(kind)], get_type_hints(kind)
    forms = [_form(types[name]) for name in names]
    decoders = [form.decode for form in forms]
    values_of = attrgetter(*names) if len(names) > 1 else _one_value(names[0])
    nested = [(at, form.encode) for at, form in enumerate(forms) if form.encode is not _same]

    def encode_fields(value: Any) -> list[Any]:
        written = list(values_of(value))
        for at, encode_nested in nested:
            written[at] = encode_nested(written[at])
        return written

    def decode_fields(raw: Any) -> Any:
        if len(_as_list(raw)) != len(names):
            raise _MisfitError(f"a list of {len(names)} values", raw)
        return kind(*_decoded(names, decoders, raw))

    schema = ", ".join(f"{name}: {form.schema}" for name, form in zip(names, forms, strict=True))
    return _Form(f"{kind.__name__}({schema})", encode_fields, decode_fields)


def _one_value(name: str) -> Callable[[Any], tuple[Any]]:
    value_of = attrgetter(name)
    return lambda value: (value_of(value),)


def _decoded(names: Sequence[object], decoders: Iterable[Callable[[Any], Any]], raw: Iterable[Any]) -> list[Any]:
    """Return the decoded values of ``raw``. Each value has a decoder and a name at the same position.

    If a value does not fit, its name is added to the path in the _MisfitError.
    """
    values: list[Any] = []
    try:
        for decode_value, value in zip(decoders, raw, strict=True):
            values.append(decode_value(value))
    except _MisfitError as error:
        error.path.append(str(names[len(values)]))
        raise
    return values


def _union_form(kinds: tuple[Any, ...]) -> _Form:
    rest = [kind for kind in kinds if kind is not NoneType]
    if len(rest) == 1:
        return _optional_form(_form(rest[0]))
    forms = {kind.__name__: _form(kind) for kind in rest}

    def encode_tagged(value: Any) -> list[Any]:
        tag = type(value).__name__
        return [tag, *forms[tag].encode(value)]

    def decode_tagged(raw: Any) -> Any:
        tag, *values = _as_list(raw) or [None]
        if not isinstance(tag, str) or tag not in forms:
            raise _MisfitError(f"a list that begins with {', '.join(forms)}", raw)
        return forms[tag].decode(values)

    return _Form(" | ".join(form.schema for form in forms.values()), encode_tagged, decode_tagged)


def _optional_form(form: _Form) -> _Form:
    return _Form(
        f"{form.schema} | None",
        _same if form.encode is _same else lambda value: None if value is None else form.encode(value),
        lambda raw: None if raw is None else form.decode(raw),
    )


def _list_form(item: _Form) -> _Form:
    def decode_list(raw: Any) -> tuple[Any, ...]:
        values = _as_list(raw)
        if item is _INT and set(map(type, values)) <= {int}:
            return tuple(values)  # the counts of a histogram: some hundred numbers, which were just checked together
        n = len(values)
        return tuple(_decoded(range(n), repeat(item.decode, n), values))

    # A tuple of scalars is left as it is: JSON text has the same list for it, and histograms need no copy.
    encode_list = _same if item.encode is _same else lambda values: [item.encode(value) for value in values]
    return _Form(f"[{item.schema}]", encode_list, decode_list)


def _mapping_form(item: _Form) -> _Form:
    def decode_mapping(raw: Any) -> dict[str, Any]:
        if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
            raise _MisfitError("an object", raw)
        keys = list(raw)
        return dict(zip(keys, _decoded(keys, repeat(item.decode, len(keys)), raw.values()), strict=True))

    return _Form(
        f"{{{item.schema}}}",
        lambda value: {key: item.encode(v) for key, v in value.items()},
        decode_mapping,
    )


def _as_list(raw: Any) -> Sequence[Any]:
    if not isinstance(raw, list | tuple):
        raise _MisfitError("a list", raw)
    return raw
