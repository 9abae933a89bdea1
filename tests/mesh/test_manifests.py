"""Tests of the text that the control planes of the mesh checks read."""

from __future__ import annotations

import yaml

from tests.mesh.manifests import manifests


def test_a_text_that_go_reads_as_a_number_has_quotes() -> None:
    resources = [{"kind": "A", "value": "973061937e31"}, {"kind": "B", "value": 1}]
    text = manifests(resources)
    assert "'973061937e31'" in text
    assert [one for one in yaml.safe_load_all(text) if one] == resources
