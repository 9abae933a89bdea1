"""Tests of the check of inserted parts: Glidepath's must be in Envoy's API, the user's need not."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.check_spliced_parts import SplicedParts, SplicedRoute, check_spliced
from glidepath_ops.envoyconfig.yaml_insertion import compose, verbatim

GOOD: dict[str, Any] = {"match": {"prefix": "/"}, "route": {"cluster": "a"}}
BAD: dict[str, Any] = {"match": {"prefix": "/"}, "route": {"cluster": "a", "timeuot": "1s"}}


def parts(**changes: Any) -> SplicedParts:
    given: dict[str, Any] = {"listeners": [], "clusters": [{"name": "a"}], "manager": {}, "root": {}, **changes}
    return SplicedParts(**given)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"clusters": [{"name": "a", "conect_timeout": "1s"}]}, r"clusters\[a\]"),
        ({"listeners": [{"name": "b", "adress": {}}]}, r"listeners\[b\]"),
        ({"manager": {"http_filters": [{"nam": "x"}]}}, r"listeners\[spliced\]"),
        ({"manager": {"access_log": [{"name": "x", "typed_config": {}}]}}, r"listeners\[spliced\]"),
        ({"root": {"layered_runtime": {"layer": []}}}, "bootstrap"),
        ({"routes": [SplicedRoute(BAD)]}, r"listeners\[spliced\]"),
        ({"routes": [SplicedRoute(BAD, GOOD)]}, r"listeners\[spliced\]"),
    ],
)
def test_a_part_that_is_not_in_envoys_api_is_refused(changes: dict[str, Any], place: str) -> None:
    message = rf"^boot.yaml: was not changed, because what would be inserted is wrong: .*{place}: does not match"
    with pytest.raises(InputError, match=message):
        check_spliced(parts(**changes), "boot.yaml")


def test_the_parts_that_the_user_has_already_are_not_checked() -> None:
    check_spliced(parts(routes=[SplicedRoute(BAD, BAD), SplicedRoute(GOOD, GOOD), SplicedRoute(GOOD)]), "boot.yaml")


def test_scalars_of_the_users_text_are_read_with_their_types() -> None:
    text = "match: {prefix: /, case_sensitive: false}\nroute: {cluster: a, timeout: 0s, priority: HIGH}\n"
    route = verbatim(compose(text, "x"))
    check_spliced(parts(routes=[SplicedRoute(route, GOOD)]), "boot.yaml")
