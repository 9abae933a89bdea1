"""The value that the header rules of a user's route give to a request header."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.header_rules import RoutedHeader, joined_rules, routed_headers


def adds(value: str, **more: Any) -> dict[str, Any]:
    return {"request_headers_to_add": [{"header": {"key": "Authorization", "value": value}, **more}]}


REMOVES = {"request_headers_to_remove": ["Authorization"]}
SET = {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
DEFAULT = {"append_action": "ADD_IF_ABSENT"}
REPLACE = {"append_action": "OVERWRITE_IF_EXISTS"}


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([{}], None),
        ([{"request_headers_to_add": [{"header": {"key": "x-other", "value": "%START_TIME%"}}]}], None),
        ([REMOVES], RoutedHeader(keeps=False)),
        ([adds("a")], RoutedHeader(keeps=True, value="a")),
        ([adds("a", append=False)], RoutedHeader(keeps=False, value="a")),
        ([adds("a", append="true")], RoutedHeader(keeps=True, value="a")),
        ([adds("a", **SET)], RoutedHeader(keeps=False, value="a")),
        ([adds("100%%", **SET)], RoutedHeader(keeps=False, value="100%")),
        ([adds("", **SET)], None),
        ([adds("", keep_empty_value=True, **SET)], RoutedHeader(keeps=False, value="")),
        ([adds("a", **DEFAULT)], RoutedHeader(keeps=True, value="a", if_absent=True)),
        ([{**REMOVES, **adds("a")}], RoutedHeader(keeps=False, value="a")),
        ([adds("a"), REMOVES], RoutedHeader(keeps=False)),
        ([adds("a"), adds("b", **SET)], RoutedHeader(keeps=False, value="b")),
        ([adds("a", **SET), adds("b", **DEFAULT)], RoutedHeader(keeps=False, value="a")),
        ([REMOVES, adds("b", **DEFAULT)], RoutedHeader(keeps=False, value="b")),
        ([REMOVES, adds("b", **REPLACE)], RoutedHeader(keeps=False)),
        ([adds("a", **SET), adds("b", **REPLACE)], RoutedHeader(keeps=False, value="b")),
    ],
)
def test_the_rules_are_applied_in_envoys_order(levels: list[Any], expected: RoutedHeader | None) -> None:
    assert routed_headers(levels, {"authorization"}, "here").get("authorization") == expected


@pytest.mark.parametrize(
    ("levels", "reason"),
    [
        ([adds("Bearer %ENVIRONMENT(KEY)%")], "has a value that only Envoy knows"),
        ([adds("a"), adds("b")], "depends on another rule"),
        ([adds("a", **REPLACE)], "depends on another rule"),
    ],
)
def test_a_value_that_cannot_be_given_again_is_refused_with_a_remedy(levels: list[Any], reason: str) -> None:
    with pytest.raises(InputError, match=rf"^here: its rule for authorization {reason}.*fallback: false$"):
        routed_headers(levels, {"authorization"}, "here")


def test_the_rules_of_all_levels_are_joined_with_the_same_effect() -> None:
    other = {"request_headers_to_add": [{"header": {"key": "x-other", "value": "%HOSTNAME%"}}]}
    joined = joined_rules([adds("a"), {**REMOVES, **other}, adds("b")])
    assert joined == {
        "request_headers_to_remove": ["Authorization"],
        "request_headers_to_add": [*other["request_headers_to_add"], *adds("b")["request_headers_to_add"]],
    }
