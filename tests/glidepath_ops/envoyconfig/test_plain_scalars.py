"""Tests of quoting: a string in the configuration is a string for every reader of the rendered YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from glidepath.config import parse_config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.commented_yaml import DumperWithoutAnchors, to_yaml
from glidepath_ops.envoyconfig.plain_scalars import is_plain

WORDS = [
    word
    for base in ("y", "n", "yes", "no", "true", "false", "on", "off")
    for word in (base, base.title(), base.upper())
]
NUMBERS = [
    "1",
    "-1",
    "+5",
    "1.5",
    "1e5",
    "-5E3",
    "089",
    "0x1F",
    "0o17",
    "0b11",
    "0x1p3",
    "12:30",
    "1_000",
    ".5",
    "5.",
    "1 ",
]
OTHERS = [
    "null",
    "NULL",
    "~",
    "",
    " ",
    "=",
    "<<",
    ".inf",
    "-.INF",
    "nan",
    "2024-01-01",
    "- a",
    "a: b",
    "#x",
    "*a",
    "&a",
    "!a",
]
AMBIGUOUS = [*WORDS, *NUMBERS, *OTHERS]
# Scalars that YAML 1.1 (yaml.org/type) and YAML 1.2 (core schema, 10.3.2) read as something else than a string.
NO_STRING = re.compile(
    r"y|n|yes|no|true|false|on|off|~|null"
    r"|[-+]?[0-9][0-9_]*|[-+]?0b[01_]+|0o[0-7]+|[-+]?0x[0-9a-f_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)(e[-+]?[0-9]+)?|[-+]?\.inf|\.nan",
    re.IGNORECASE,
)
texts = st.one_of(
    st.sampled_from(AMBIGUOUS),
    st.text(max_size=12),
    st.from_regex(NO_STRING, fullmatch=True),
    st.text("0123456789xXeE+-._:b ", max_size=8),
)


@given(texts)
@example("1E+5")
def test_no_string_that_another_reader_takes_for_another_type_is_plain(text: str) -> None:
    if NO_STRING.fullmatch(text.strip()) or not text.strip():
        assert not is_plain(text)


@pytest.mark.parametrize(
    "text",
    ["a", "yess", "chat", "10s", "0.25s", "127.0.0.1", "1.2.3", "x-user-id", "gpt-4o", "/v1", "-", "e5", "infinite"],
)
def test_usual_strings_stay_without_quotes(text: str) -> None:
    assert is_plain(text)


@given(st.dictionaries(texts, st.one_of(texts, st.booleans(), st.integers()), max_size=4))
def test_both_writers_give_back_keys_and_values(data: dict[str, Any]) -> None:
    for written in (
        yaml.dump(data, Dumper=DumperWithoutAnchors, allow_unicode=True),
        yaml.dump(data, Dumper=DumperWithoutAnchors, default_flow_style=True),
    ):
        assert yaml.safe_load(written) == data
    plain = {key: value for key, value in data.items() if key != "#" and "\n" not in f"{key}{value}"}
    assert yaml.safe_load(to_yaml(plain)) == plain


@pytest.mark.process
def test_envoy_reads_every_value_and_name_as_a_string(valid_yaml: str, tmp_path: Path) -> None:
    words = [text for text in AMBIGUOUS if text.strip()]
    settings = yaml.safe_load(valid_yaml)
    settings["backends"] |= {
        "y": {"url": "http://127.0.0.1:1", "headers": {f"x-{i}": w.strip() for i, w in enumerate(words)}}
    }
    settings["workloads"]["n"] = {
        "match": {"path": "/n"},
        "baseline": "cloud",
        "candidate": "y",
        "sticky": {"cookie": "no"},
    }
    bootstrap = render_bootstrap(parse_config(yaml.safe_dump(settings)))
    manager = bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    added = [{"header": {"key": f"x-{i}", "value": word}} for i, word in enumerate(words)]
    manager["route_config"]["virtual_hosts"][0]["response_headers_to_add"] = added
    path = tmp_path / "envoy.yaml"
    path.write_text(to_yaml(bootstrap))
    assert check_with_envoy(path)
    path.write_text(path.read_text().replace("value: 'y'\n", "value: y\n"))
    with pytest.raises(InputError, match="Envoy rejects it"):
        check_with_envoy(path)
