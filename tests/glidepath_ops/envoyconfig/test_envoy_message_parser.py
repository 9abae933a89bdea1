"""Each different typed message is parsed once, at any depth, and faults in it are still found."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.envoy_message_parser import StrictParser
from glidepath_ops.envoyconfig.validation import check_strict

ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
LUA = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"


class Recorder:
    """A stand-in for a message class that records the data it parses."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    def from_dict(self, data: Any) -> None:
        self.given.append(data)


@pytest.fixture(autouse=True, scope="module")
def _types() -> None:
    import envoy_data_plane.envoy.extensions.filters.http.lua.v3
    import envoy_data_plane.envoy.extensions.filters.http.router.v3  # noqa: F401


def test_an_empty_message_stands_for_each_typed_message() -> None:
    message = Recorder()
    StrictParser().parse(
        message, {"a": [{"x": 1, "config": {"@type": ROUTER, "suppress_envoy_headers": True}}], "#": 1}
    )
    empty = {"@type": "type.googleapis.com/google.protobuf.Empty"}
    assert message.given == [{"a": [{"x": 1, "config": empty}]}]


@pytest.mark.parametrize("repeated", [1, 3])
def test_an_unknown_field_in_a_typed_message_is_found_wherever_it_is(repeated: int) -> None:
    wrong = {"@type": ROUTER, "no_such_field": True}
    with pytest.raises(KeyError, match="no_such_field"):
        StrictParser().parse(Recorder(), {"all": [{"config": wrong}] * repeated})


def test_an_error_inside_a_message_inside_a_message_is_found() -> None:
    inner = {"@type": ROUTER, "no_such_field": True}
    outer = {"@type": LUA, "source_codes": {"x": {"inline_string": "y"}}, "default_source_code": {"z": inner}}
    with pytest.raises(KeyError):
        StrictParser().parse(Recorder(), outer)


def test_a_type_that_is_not_imported_is_an_error() -> None:
    with pytest.raises(TypeError, match="unregistered type"):
        StrictParser().parse(Recorder(), {"@type": "type.googleapis.com/envoy.no.such.Type"})


def test_the_different_typed_messages_do_not_multiply_with_the_workloads() -> None:
    def different(workloads: int) -> int:
        text = "backends: {a: {url: 'http://a'}, b: {url: 'http://b'}}\nworkloads:\n" + "".join(
            f"  w{i}: {{match: {{path: /{i}}}, baseline: a, candidate: b}}\n" for i in range(workloads)
        )
        bootstrap = render_bootstrap(parse_config(text))
        check_strict(bootstrap)  # imports the types
        parser = StrictParser()
        parser.parse(Recorder(), bootstrap)
        return len(parser.parsed)

    few, many = different(2), different(12)
    assert many - few <= 3 * (12 - 2)


def route(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"r{number}",
        "match": {"prefix": f"/{number}", "headers": [{"name": "x", "string_match": {"exact": str(number)}}]},
        "route": {"cluster": f"c{number}"},
        "metadata": {"filter_metadata": {"a.b": {"n": number}}},
        "response_headers_to_add": [{"header": {"key": f"x-{number}", "value": str(number)}}],
        **changes,
    }


def test_of_many_entries_that_differ_in_free_text_one_is_parsed() -> None:
    message = Recorder()
    StrictParser().parse(message, {"routes": [route(number) for number in range(100)]})
    assert message.given == [{"routes": [route(0)]}]


@pytest.mark.parametrize(
    "changes",
    [
        {"no_such_field": 1},
        {"name": ["r"]},
        {"match": {"prefix": {}}},
        {"metadata": {"filter_metadata": {"a.b": 5}}},
        {"response_headers_to_add": [{"header": {"key": "x", "value": 5}}]},
        {"response_headers_to_add": [{"header": {"key": "x", "raw_value": "eA=="}}]},
    ],
)
def test_an_entry_that_differs_in_anything_else_is_parsed_too(changes: dict[str, Any]) -> None:
    message, other = Recorder(), route(70, **changes)
    StrictParser().parse(message, {"routes": [*(route(number) for number in range(70)), other, route(71)]})
    (given,) = message.given
    assert len(given["routes"]) == 2
    assert other in given["routes"]


def test_each_type_is_registered_once_and_before_it_is_parsed() -> None:
    registered: list[str] = []
    parser = StrictParser(registered.append)
    parser.parse(Recorder(), {"a": [{"@type": ROUTER, "suppress_envoy_headers": bool(n)} for n in range(3)]})
    assert registered == [ROUTER]
