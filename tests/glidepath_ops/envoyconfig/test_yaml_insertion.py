"""Tests of YAML insertions: the data has the new items, no other byte changes, and removing restores the text."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.yaml_insertion import (
    Insertion,
    child,
    compose,
    insert,
    items,
    reads_as_intended,
    remove,
    verbatim,
)

BLOCK = """\
# the team's own file
static_resources:
  listeners:   # two of them
  - name: a    # first
    port: 1

  - name: b
    filters:
    - router
  # a comment at the end
  clusters: []
admin: {address: x}
"""


def edit(text: str, *path: str | int, what: Any, at: int | None = None) -> str:
    node: yaml.Node | None = compose(text, "x.yaml")
    for part in path:
        node = child(node, part) if isinstance(part, str) else items(node)[part]
    assert node is not None
    return insert(text, [Insertion(node, what, at)], "x.yaml")


CASES: list[tuple[str, tuple[str | int, ...], Any, int | None]] = [
    (BLOCK, ("static_resources", "listeners"), [{"name": "ours", "deep": {"x": [1]}}], None),
    (BLOCK, ("static_resources", "listeners"), [{"name": "ours"}], 0),
    (BLOCK, ("static_resources", "listeners"), [{"name": "ours"}], 1),
    (BLOCK, ("static_resources", "listeners", 1, "filters"), ["ext_proc"], 0),
    (BLOCK, ("static_resources", "clusters"), [{"name": "c"}, {"name": "d"}], None),
    (BLOCK, ("static_resources", "listeners", 0), {"access_log": [{"name": "ours"}]}, None),
    (BLOCK, ("static_resources",), {"secrets": [1]}, None),
    (BLOCK, ("admin",), {"access_log": "y"}, None),
    (BLOCK, (), {"layered_runtime": {"layers": []}}, None),
    ("a:\n  - 1\n  - 2", ("a",), [3], None),
    ("a:\n  - 1\n  - 2", (), {"b": {"c": 1}}, None),
    ("a: [1, 2]\n", ("a",), [3], None),
    ("a: [1, 2]\n", ("a",), [0], 0),
    ("a: [1, 2]\n", ("a",), [9], 1),
    ("a: [1, 2,]", ("a",), [3], None),
    ("a: {b: [ {c: 1} ]}\nz: 1\n", ("a", "b"), [{"d": 1}], 0),
    ("a: {}\n", ("a",), {"k": [1, {"x": "é"}]}, None),
    ("a:\n- |\n  text\n  more\n- 2\n", ("a",), ["x"], 1),
    ("a:\n- 1\n- |\n  text\n\nb: 2\n", ("a",), ["x"], None),
    ("a:\n  -\n    k: 1\n  -\n    k: 2\n", ("a",), [{"k": 0}], 1),
    ("x: &x {k: 1}\na:\n- 1\n- *x\nb: 2\n", ("a",), [3], None),
    ("x: &x {k: 1}\na:\n- 1\n- *x\nb: 2\n", ("a",), [3], 1),
    ("x: &x {k: 1}\na:\n- *x  # the team's\n- *x\nb: 2\n", ("a",), [3], 0),
    ("x: &x {k: 1}\na: [1, *x, 2]\n", ("a",), [3], 1),
    ("x: &x {k: 1}\na:\n- {n: 1}\n- n: 2\n  y: *x\n# end\nb: 2\n", ("a",), [3], None),
    ("x: &x {k: 1}\na:\n  b: 1\n  c: *x\n", ("a",), {"d": 2}, None),
    ("a:\n  b:\n  - 1\n", ("a",), {"c": [2]}, None),
    ("a:\n- &x {k: 1}\n- *x\n", ("a",), [2], None),
]


def expected(data: Any, path: tuple[str | int, ...], what: Any, at: int | None) -> Any:
    node = data
    for part in path:
        node = node[part]
    if isinstance(what, dict):
        node.update(what)
    else:
        place = len(node) if at is None else at
        node[place:place] = what
    return data


@pytest.mark.parametrize(("text", "path", "what", "at"), CASES)
def test_an_insertion_is_in_the_data_and_can_be_removed(
    text: str, path: tuple[str | int, ...], what: Any, at: int | None
) -> None:
    edited = edit(text, *path, what=what, at=at)
    assert yaml.safe_load(edited) == expected(yaml.safe_load(text), path, what, at)
    assert remove(edited) == text
    assert [line for line in text.splitlines() if line not in edited] in ([], [text.splitlines()[-1]]) or "[" in text


def test_a_list_and_the_mapping_around_it_can_grow_at_one_place() -> None:
    """The dashes can have the same indentation as the keys: the new items come before the new keys."""
    text = "static:\n  listeners:\n  - name: a\n"
    root = compose(text, "x")
    static = child(root, "static")
    listeners = child(static, "listeners")
    assert static is not None
    assert listeners is not None
    both = [Insertion(static, {"clusters": [{"name": "c"}]}), Insertion(listeners, [{"name": "b"}])]
    for insertions in (both, both[::-1]):
        edited = insert(text, [*insertions, Insertion(root, {"node": {}})], "x.yaml")
        static_data = {"listeners": [{"name": "a"}, {"name": "b"}], "clusters": [{"name": "c"}]}
        assert yaml.safe_load(edited) == {"static": static_data, "node": {}}
        assert remove(edited) == text


@pytest.mark.parametrize("text", ["a:\nb: 1\n", "a: ~\nb: 1\n", "a: text\nb: 1\n"])
def test_a_key_without_a_list_is_refused_with_file_line_and_key(text: str) -> None:
    with pytest.raises(InputError, match=r"^x.yaml:1: must be a list or a mapping, or be left out: a:"):
        edit(text, "a", what=[1])


def test_a_result_that_parses_to_other_data_is_recognised() -> None:
    text = "a:\n- 1\nb: 2\n"
    one = Insertion(child(compose(text, "x"), "a"), [{"y": "n"}], at=1)
    assert reads_as_intended(text, [one], "a:\n- 1\n- {'y': 'n'}\nb: 2\n")
    for other in (
        "a:\n- {'y': 'n'}\n- 1\nb: 2\n",
        "a:\n- 1\nb: 2\n",
        "a:\n- 1\n- {'y': 'n'}\nb: 3\n",
        "a: [",
        "b: 2\n",
    ):
        assert not reads_as_intended(text, [one], other)


def test_several_insertions_are_removed_together() -> None:
    root = compose(BLOCK, "x")
    static = child(root, "static_resources")
    listeners, clusters = child(static, "listeners"), child(static, "clusters")
    assert static is not None
    assert listeners is not None
    assert clusters is not None
    edits = [
        Insertion(listeners, [1]),
        Insertion(listeners, [2], 0),
        Insertion(clusters, [3]),
        Insertion(root, {"k": 4}),
    ]
    edited = insert(BLOCK, edits, "x.yaml")
    loaded = yaml.safe_load(edited)
    assert loaded["static_resources"]["listeners"][0] == 2
    assert loaded["static_resources"]["listeners"][-1] == 1
    assert (loaded["static_resources"]["clusters"], loaded["k"]) == ([3], 4)
    assert remove(edited) == BLOCK


scalars = st.one_of(
    st.integers(), st.booleans(), st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=9)
)
data = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("abcdef", min_size=1, max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.lists(data, max_size=4), data, st.booleans(), st.integers(0, 4))
def test_an_item_can_be_inserted_anywhere_in_any_list_and_removed(
    old: list[Any], new: Any, flow: bool, at: int
) -> None:
    text = yaml.safe_dump({"list": old, "more": [old]}, default_flow_style=flow, allow_unicode=True, sort_keys=False)
    place = min(at, len(old))
    try:
        edited = edit(text, "list", what=[new], at=place)
    except InputError as error:
        assert "nested '- -'" in str(error)  # noqa: PT017
        return
    assert yaml.safe_load(edited)["list"] == [*old[:place], new, *old[place:]]
    assert remove(edited) == text


@pytest.mark.parametrize("text", ["[1]", "a: 1\n---\nb: 2\n", "a: [", "", "x"])
def test_a_text_that_is_not_one_mapping_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^boot.yaml: "):
        compose(text, "boot.yaml")


def test_verbatim_resolves_aliases_and_converts_no_scalar() -> None:
    text = "a: &x {b: [1, true, yes, 12:30, 010, '5', null]}\nc: *x\n"
    data = verbatim(compose(text, "x"))
    assert data["c"] == data["a"] == {"b": ["1", "true", "yes", "12:30", "010", "5", "null"]}


def test_a_copied_scalar_is_written_as_it_was_read() -> None:
    text = "list:\n- {a: 1, b: yes, c: 12:30, d: 010, e: '5', f: 'true', g: 0.250s, h: 2024-01-01, i: '',"
    text += " j: y, k: 'n', l: 1e5}\n"
    root = compose(text, "x")
    copied = insert(text, [Insertion(child(root, "list"), [verbatim(items(child(root, "list"))[0])], at=0)], "x")
    lines = [line.strip(" -") for line in copied.splitlines()]
    for line in (
        "a: 1",
        "b: yes",
        "c: 12:30",
        "d: 010",
        "e: '5'",
        "f: 'true'",
        "g: 0.250s",
        "h: 2024-01-01",
        "i: ''",
        "j: y",
        "k: 'n'",
        "l: 1e5",
    ):
        assert line in lines
    assert remove(copied) == text
