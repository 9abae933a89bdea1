"""Rendering for many workloads: each route reads the settings of all workloads, so it must not build them again."""

from __future__ import annotations

from typing import Any

import pytest

from glidepath.config import parse_config
from glidepath.config.section import Section
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap

BACKENDS = "backends: {cloud: {url: 'http://a.test'}, onprem: {url: 'http://b.test', model: m}}\nworkloads:\n"
WORKLOAD = "  w{n}: {{match: {{path: /{n}/chat/completions}}, baseline: cloud, candidate: onprem}}\n"


def test_rendering_builds_no_section_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    config = parse_config(BACKENDS + "".join(WORKLOAD.format(n=n) for n in range(5)))
    built: list[str] = []

    def counted(section: Section, **values: Any) -> None:
        built.append(type(section).__name__)
        original(section, **values)

    original = Section.__init__
    monkeypatch.setattr(Section, "__init__", counted)
    render_bootstrap(config)
    assert built == []
