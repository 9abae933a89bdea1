"""All faults of a configuration are shown at once, in the words of YAML, with the key that was probably meant."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from glidepath.config import Config, load_config, parse_config, request_match
from glidepath.config.error_messages import PATTERNS, messages
from glidepath.config.yaml_source import YamlSource
from glidepath.errors import ConfigError
from tests.support import quick_yaml

PATH = PATTERNS[request_match.PATH]
GOOD = """\
backends:
  cloud: {url: "https://api.example.com"}
  onprem: {url: "http://10.0.0.5:8000"}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprem
    ramp: {hold: 48h}
"""


def errors(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return str(caught.value).splitlines()


def test_all_faults_are_shown_in_the_order_of_the_lines() -> None:
    text = GOOD.replace("48h", "48").replace("https://", "htps://").replace("task", "task") + "    fallbak: true\n"
    found = errors(text + "  batch: {match: {path: /x}, baseline: cloud, candidate: onpre}\n")
    assert [line.split(" ")[0:2] for line in found] == [
        ["glidepath.yaml:2:", "backends.cloud.url:"],
        ["glidepath.yaml:9:", "workloads.chat.ramp.hold:"],
        ["glidepath.yaml:10:", "workloads.chat.fallbak:"],
        ["glidepath.yaml:11:", "workloads.batch.candidate:"],
    ]


def test_an_unknown_backend_is_also_found_in_a_workload_with_other_faults() -> None:
    found = errors(GOOD.replace("candidate: onprem", "candidate: onpre").replace("48h", "48"))
    assert [line.partition(": must")[0] for line in found] == [
        "glidepath.yaml:8: workloads.chat.candidate: unknown backend 'onpre' (did you mean 'onprem'? "
        "allowed: cloud, onprem)",
        "glidepath.yaml:9: workloads.chat.ramp.hold",
    ]


def test_a_name_with_faults_of_its_own_is_not_an_unknown_name() -> None:
    found = errors(GOOD.replace("http://10", "ftp://10") + "    after: batch\n  batch: {match: {}}\n")
    assert not [line for line in found if "unknown" in line]


def test_many_faults_are_counted_and_the_first_are_shown() -> None:
    more = "".join(f"  w{i}: {{match: {{path: /{i}}}, baseline: cloud, candidate: nosuch}}\n" for i in range(60))
    found = errors(GOOD + more)
    assert len(found) == 51
    assert found[-1].endswith("and 10 more errors")


def test_all_repeated_keys_and_all_files_are_shown(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("envoy: {}\nenvoy: {}\nredis: {}\nredis: {}\n")
    (tmp_path / "b.yaml").write_text("backends: [\n")
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    lines = [line.removeprefix(f"{tmp_path}/") for line in str(caught.value).splitlines()]
    assert lines[:2] == ["a.yaml:2: key 'envoy' is given twice", "a.yaml:4: key 'redis' is given twice"]
    assert lines[2].startswith("b.yaml:2: is not YAML")


@pytest.mark.parametrize(
    ("what", "by", "said"),
    [
        ("ramp: {", "ramp: {stps: [1], ", "ramp.stps: unknown key (did you mean 'steps'? allowed: approval, "),
        ("ramp: {", "hold: 1h\n    ramp: {", "workloads.chat.hold: unknown key here (it belongs in ramp)"),
        (
            "ramp: {",
            "gates: {min_agreement: 1}\n    ramp: {",
            "unknown key here (it belongs in sameness)",
        ),
        ("ramp: {", "task: clasification\n    ramp: {", "did you mean 'classification'?"),
        ("ramp: {", "scoring: {weights: {nmbers: 1}}\n    ramp: {", "did you mean 'numbers'?"),
        ("ramp: {hold: 48h}", "ramp: {approval: 3}", "approval: must be true or false or a list"),
        ("ramp: {hold: 48h}", "ramp: {approval: [1, x]}", "approval[1]: must be a percent from 0 to 100"),
        ("ramp: {hold: 48h}", "ramp: {steps: 5}", "ramp.steps: must be a list, such as [a, b] (got 5)"),
        ("ramp: {hold: 48h}", "ramp: 5", "ramp: must be a mapping of keys to values (got 5)"),
        ("ramp: {hold: 48h}", "ramp: {hold: }", "hold: must be a duration such as 250ms, 30s, 5m, 48h or 30d (got not"),
        ("ramp: {hold: 48h}", "ramp: {freeze: [{cron: 1, duration: 1h}]}", "cron: must be text (got 1)"),
        ("ramp: {hold: 48h}", "fallback: maybe", "fallback: must be true or false (got 'maybe')"),
        ("backends:\n", "extproc: {flush: 10m}\nbackends:\n", "flush: must be at most 10s (got '10m')"),
        ("backends:\n", "scorer: {lease: 100ms}\nbackends:\n", "lease: must be above 200ms (got '100ms')"),
        ("backends:\n", "envoy: {max_body: 4KiB}\nbackends:\n", "max_body: must be at least 64KiB (got '4KiB')"),
        ("path: /v1", "path: v1", f"workloads.chat.match.path: {PATH} (got 'v1/chat/completions')"),
        ("path: /v1/chat/completions", 'path: "/v1?key=1"', f"workloads.chat.match.path: {PATH} (got '/v1?key=1')"),
        ("path: /v1", "path: /ü/v1", f"workloads.chat.match.path: {PATH} (got '/ü/v1/chat/completions')"),
    ],
)
def test_a_fault_is_described_in_the_words_of_yaml(what: str, by: str, said: str) -> None:
    assert what in GOOD
    assert said in "\n".join(errors(GOOD.replace(what, by)))


def _keys(annotation: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every key of every section, from the sections' annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield (*path, field.alias or name)
            yield from _keys(field.annotation, (*path, field.alias or name))
        return
    names = {dict: "chat" if path == ("workloads",) else "onprem", tuple: 0}
    inside = () if typing.get_origin(annotation) not in names else (names[typing.get_origin(annotation)],)
    for argument in typing.get_args(annotation):
        yield from _keys(argument, (*path, *inside))


KEYS = sorted(set(_keys(Config, ())), key=str)
# Words of Python and of pydantic.
PYTHON = re.compile(r"\b(tuple|dict|dictionary|str|None|True|False|NoneType|instance|valid|Input|parse|ctx)\b")
DATA = quick_yaml.safe_load(GOOD)
JUNK = (3, -1.5, "§", [3], {"§": 3}, [], {}, None, True)


def test_the_search_for_keys_finds_those_of_every_section() -> None:
    assert len(KEYS) > 150
    assert ("workloads", "chat", "gates", "latency", 0, "quantile") in KEYS


@pytest.mark.parametrize("path", KEYS, ids=lambda path: ".".join(map(str, path)))
def test_no_error_has_a_word_of_python(path: tuple[str | int, ...]) -> None:
    for junk in JUNK:
        value: Any = junk
        for part in reversed(path):
            value = [value] if isinstance(part, int) else {part: value}
        data = _merged(DATA, value)
        try:
            Config.model_validate(data)
        except ValidationError as error:
            for line in messages(error.errors(), YamlSource(data, {}, "glidepath.yaml")).values():
                assert not PYTHON.search(line.replace(repr(junk), "")), line


def _merged(below: Any, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: _merged(below.get(key), value) for key, value in above.items()}}


def test_every_pattern_of_a_section_has_words() -> None:
    source = "".join(file.read_text() for file in Path("glidepath/config").glob("*.py"))
    used = set(re.findall(r'(?<!def )pattern=r"(.*?)"', source))
    assert used
    assert used <= set(PATTERNS)
