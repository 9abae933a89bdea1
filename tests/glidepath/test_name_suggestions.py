"""Hints in error messages: the name that was probably meant, and the allowed names."""

from __future__ import annotations

from glidepath.name_suggestions import allowed_names, did_you_mean


def test_a_similar_name_is_suggested_and_others_are_not() -> None:
    assert did_you_mean("onprm", ["cloud", "onprem"]) == "did you mean 'onprem'? "
    assert did_you_mean("zebra", ["cloud", "onprem"]) == ""
    assert did_you_mean("", ["cloud"]) == ""


def test_of_many_names_the_first_are_listed_and_the_others_counted() -> None:
    names = [f"w{i}" for i in range(400)]
    hint = allowed_names(names, "w399x")
    assert hint.startswith("(did you mean 'w399'? allowed: w0, w1, ")
    assert hint.endswith("w19 and 380 more)")
    assert allowed_names(["a", "b"]) == "(allowed: a, b)"
