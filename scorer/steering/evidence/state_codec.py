"""Store the parts of the evidence as JSON values, and let fresh parts continue from them.

A part is a ``Stored`` object: a mutable class whose annotated attributes are its state. The type of an attribute
determines the form of its value:

| type | JSON value | |---|---| | ``int``, ``float``, ``int | float``, ``bool``, ``str`` | the value itself; a float
must be finite | | ``X | None`` | null, or the JSON value of X | | ``tuple[X, ...]``, ``list[X]`` | a list | |
``Mapping[str, X]``, ``dict[str, X]`` | an object | | a frozen dataclass | a list of the values of its fields, in their
order | | ``Annotated[X, form]`` | the result of ``form.encode`` | | a part | a list of the values of its attributes, in
the order of the annotations |

There are no names in the JSON text, because with them the text would be about 30 % longer and a checkpoint would take
longer. Instead, a schema is stored with the state: a digest of the names and types of all attributes. It prevents a
value from being read as another attribute. A state with a different schema, or with a value of a wrong type, raises
InputError. The caller then starts with empty evidence.

See ADR 0134 and ADR 0450.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cache, partial
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from glidepath.errors import InputError

_SHOWN_CHARS = 40


class MisfitError(ValueError):
    """A stored value that does not fit the type of its attribute.

    ``path``: the names of the attributes that lead to the value, the innermost name first.
    """

    def __init__(self, expected: str, raw: object) -> None:
        super().__init__(f"must be {expected} (got {str(raw)[:_SHOWN_CHARS]!r})")
        self.path: list[str] = []


@dataclass(frozen=True, slots=True)
class Form:
    """The stored form of the values of one type.

    ``decode`` gets the attribute's present value and the JSON value. It returns the new value. For a part, this is the
    same object with another state. It raises ValueError if the JSON value does not fit.
    """

    encode: Callable[[Any], Any] = field(repr=False)
    decode: Callable[[Any, Any], Any] = field(repr=False)
    name: str = ""  # the name of an ``Annotated`` type's form, for the digest


class Stored:
    """Base class of the parts of the evidence. ``__init__`` sets each attribute to its value without data."""

    __slots__ = ()

    @property
    def state(self) -> list[Any]:
        """The values of the annotated attributes, copied as JSON values."""
        kind: Any = type(self)
        return _encoder(kind)(self)

    def restore(self, raw: Any) -> None:
        """Continue from ``raw``, the ``state`` of an object of this class.

        Raises ValueError if the state does not fit.
        """
        kind: Any = type(self)
        names, forms = list(_attributes(kind)), _forms(kind)
        decoders = [partial(form.decode, getattr(self, name)) for name, form in zip(names, forms, strict=True)]
        for name, value in zip(names, _decoded(names, decoders, _list_of(raw, len(names))), strict=True):
            setattr(self, name, value)
        self._restored()

    def _restored(self) -> None:
        """Derive the attributes that are not stored. Raises ValueError if the state does not fit this object."""


def encode(part: Stored) -> dict[str, Any]:
    """Return the state of ``part`` as a JSON object with the keys ``schema`` and ``state``."""
    kind: Any = type(part)
    return {"schema": _digest(kind), "state": part.state}


def load(part: Stored, raw: object) -> None:
    """Let ``part`` continue from ``raw``, the result of ``encode``.

    Raises InputError if a value does not fit. The error contains the path of the value.
    """
    kind: Any = type(part)
    schema = _digest(kind)
    try:
        if not isinstance(raw, dict) or raw.keys() != {"schema", "state"}:
            raise MisfitError("an object with the keys schema, state", raw)
        if raw["schema"] != schema:
            raise MisfitError(f"of the schema {schema}, which this version has", raw["schema"])
        part.restore(raw["state"])
    except ValueError as error:
        path = error.path if isinstance(error, MisfitError) else []
        raise InputError(f"stored evidence: {'.'.join([kind.__name__, *reversed(path)])}: {error}") from error


@cache
def _digest(kind: type) -> str:
    found: dict[str, str] = {}
    _describe(kind, found)
    return hashlib.blake2b("\n".join(sorted(found.values())).encode(), digest_size=6).hexdigest()


def _describe(hint: Any, found: dict[str, str]) -> None:
    """Add the classes in the type ``hint`` to ``found``, each with the names and types of its attributes."""
    for inner in (*get_args(hint), *getattr(hint, "__constraints__", ())):
        _describe(inner, found)
    is_class = isinstance(hint, type) and (is_dataclass(hint) or issubclass(hint, Stored))
    if is_class and str(hint) not in found:
        found[str(hint)] = f"{hint}: {_attributes(hint)}"
        for inner in (*_attributes(hint).values(), *hint.__subclasses__()):
            _describe(inner, found)


@cache
def _attributes(kind: type) -> dict[str, Any]:
    """Return the names of the annotated attributes of a part, or of the fields of a dataclass, and their types."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint for name, hint in hints.items() if ClassVar not in (hint, get_origin(hint))}


@cache
def _forms(kind: type) -> tuple[Form, ...]:
    return tuple(map(_form, _attributes(kind).values()))


@cache
def _encoder(kind: type) -> Callable[[Any], list[Any]]:
    names = tuple(_attributes(kind))
    values_of = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    nested = [(at, form.encode) for at, form in enumerate(_forms(kind)) if form.encode is not _same]

    def encode_attributes(value: Any) -> list[Any]:
        written = list(values_of(value))
        for at, encode_nested in nested:
            written[at] = encode_nested(written[at])
        return written

    return encode_attributes


@cache
def _form(kind: Any) -> Form:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if isinstance(kind, TypeVar) or (isinstance(origin or kind, type) and issubclass(origin or kind, Stored)):
        return _PART
    if is_dataclass(kind):
        return _dataclass_form(kind)
    if origin is Annotated:
        form: Form = arguments[1]
        return form
    if origin in (Union, UnionType):
        return _union_form([one for one in arguments if one is not NoneType], optional=NoneType in arguments)
    if origin is list or (origin is tuple and arguments[1:] == (...,)):
        return _list_form(_form(arguments[0]), origin)
    if origin in (dict, Mapping) and arguments[0] is str:
        return _PARTS if _form(arguments[1]) is _PART else _mapping_form(_form(arguments[1]))
    raise TypeError(f"the codec has no form for {kind}")


def _same(value: Any) -> Any:
    return value


def _scalar(kind: type, expected: str) -> Form:
    def decode(current: Any, raw: Any) -> Any:
        if type(raw) is not kind:  # isinstance would accept a bool as an int
            raise MisfitError(expected, raw)
        return raw

    return Form(_same, decode)


def _decode_number(current: Any, raw: Any) -> Any:
    if type(raw) not in (int, float) or not math.isfinite(raw):
        raise MisfitError("a finite number", raw)
    return raw


def _decode_float(current: Any, raw: Any) -> float:
    return float(_decode_number(current, raw))


_SCALARS: dict[Any, Form] = {
    int: _scalar(int, "a whole number"),
    float: Form(_same, _decode_float),
    bool: _scalar(bool, "true or false"),
    str: _scalar(str, "a string"),
    int | float: Form(_same, _decode_number),
}


def _restore_part(current: Any, raw: Any) -> Any:
    if current is None:
        raise MisfitError("null", raw)
    current.restore(raw)
    return current


def _restore_parts(current: Any, raw: Any) -> Any:
    """Restore each part of ``current`` whose name is stored in ``raw``. The other parts start without data."""
    stored = _object(raw)
    known = {name: part for name, part in current.items() if name in stored}
    _decoded(list(known), [part.restore for part in known.values()], [stored[name] for name in known])
    return current


_PART = Form(attrgetter("state"), _restore_part)
_PARTS = Form(lambda parts: {name: part.state for name, part in parts.items()}, _restore_parts)


def _dataclass_form(kind: Any) -> Form:
    names = list(_attributes(kind))
    decoders = [partial(form.decode, None) for form in _forms(kind)]
    return Form(_encoder(kind), lambda current, raw: kind(*_decoded(names, decoders, _list_of(raw, len(names)))))


def _decoded(names: Sequence[object], decoders: Iterable[Callable[[Any], Any]], raw: Iterable[Any]) -> list[Any]:
    """Return the decoded values of ``raw``. Each value has a decoder and a name at the same position.

    If a value does not fit, its name is added to the path in the MisfitError.
    """
    values: list[Any] = []
    try:
        for decode_value, value in zip(decoders, raw, strict=True):
            values.append(decode_value(value))
    except MisfitError as error:
        error.path.append(str(names[len(values)]))
        raise
    return values


def _union_form(kinds: Sequence[Any], *, optional: bool) -> Form:
    form = _form(kinds[0])
    if any(_form(kind) is not form for kind in kinds):
        raise TypeError(f"the codec has no form for one of {kinds}")
    if not optional:
        return form
    return Form(
        _same if form.encode is _same else lambda value: None if value is None else form.encode(value),
        lambda current, raw: None if raw is None else form.decode(current, raw),
    )


def _list_form(item: Form, kind: Callable[[Iterable[Any]], Any]) -> Form:
    def decode(current: Any, raw: Any) -> Any:
        values = _list_of(raw)
        return kind(_decoded(range(len(values)), [partial(item.decode, None)] * len(values), values))

    # A list of scalars is left as it is: JSON text has the same list for it.
    return Form(_same if item.encode is _same else lambda values: [item.encode(value) for value in values], decode)


def _mapping_form(item: Form) -> Form:
    def decode(current: Any, raw: Any) -> dict[str, Any]:
        keys = list(_object(raw))
        values = _decoded(keys, [partial(item.decode, None)] * len(keys), raw.values())
        return dict(zip(keys, values, strict=True))

    return Form(lambda value: {key: item.encode(v) for key, v in value.items()}, decode)


def _object(raw: Any) -> dict[str, Any]:
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise MisfitError("an object", raw)
    return raw


def _list_of(raw: Any, n: int | None = None) -> Sequence[Any]:
    if not isinstance(raw, list | tuple):
        raise MisfitError("a list", raw)
    if n is not None and len(raw) != n:
        raise MisfitError(f"a list of {n} values", raw)
    return raw
