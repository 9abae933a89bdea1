"""The model's name is replaced in bodies of any shape, and a body that would take too long is left to the baseline."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extproc.outcome_classification import LocalReply
from glidepath.outcome_summaries import AtFault
from tests.support.envoy_with_backends import PATH, EnvoySetup, envoy_with_backends
from tests.support.json_values import JSON
from tests.support.outcome_log import OutcomeLog

MIB = 2**20
AT_ONCE: dict[str, Any] = {"start": 100}
ONPREM = {"model": "m-on"}
LONG = b"x" * (3 * MIB)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 600_000}}


async def sent_to_candidate(setup: EnvoySetup, body: bytes) -> bytes:
    """Return the body that the candidate receives. The baseline must receive nothing."""
    setup.clear_received()
    assert (await setup.post(body)).status == 200
    assert not setup.cloud.received
    assert setup.onprem.last.headers["content-length"] == str(len(setup.onprem.last.body))
    return setup.onprem.last.body


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b'{"model":"a"}', b'{"model":"m-on"}'),
        (b'\xef\xbb\xbf \n{ "model" \t:\r\n "a\\"b\\\\" , "x": [ "model" ] }', None),
        (b'{"mod\\u0065l": "a"}', b'{"mod\\u0065l": "m-on"}'),
        (b'{"model":"a","model":"b"}', b'{"model":"m-on","model":"m-on"}'),
        (b'{"x":"model","y":"model","model":"model"}', b'{"x":"model","y":"model","model":"m-on"}'),
        (b'{"x":{"model":"inner"},"y":["model","a"]}', b'{"x":{"model":"inner"},"y":["model","a"]}'),
        (b'{"model":7}', b'{"model":7}'),
        (b'{"model":"a"', b'{"model":"a"'),
        (b'["model","a"]', b'["model","a"]'),
        (b'"model"', b'"model"'),
        (b"", b""),
        (b" " * 100, b" " * 100),
        (b'{"x":"' + LONG + b'","model":"a"}', b'{"x":"' + LONG + b'","model":"m-on"}'),
        (b'{"model":"a","x":"' + LONG + b'"}', b'{"model":"m-on","x":"' + LONG + b'"}'),
        (b'{"x":"' + b"\\\\" * 65_536 + b'","model":"a"}', b'{"x":"' + b"\\\\" * 65_536 + b'","model":"m-on"}'),
        (b'{"x":"' + b'\\"' * 99_999 + b'","model":"a"}', b'{"x":"' + b'\\"' * 99_999 + b'","model":"m-on"}'),
    ],
    ids=range(16),
)
async def test_only_the_value_of_the_top_level_key_is_replaced(
    tmp_path: Path, body: bytes, wanted: bytes | None
) -> None:
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat=AT_ONCE) as setup:
        got = await sent_to_candidate(setup, body)
        assert got == (wanted if wanted is not None else body.replace(b'"a\\"b\\\\"', b'"m-on"'))


@pytest.mark.parametrize("edge", range(-8, 9))
async def test_a_key_and_its_value_may_lie_on_the_edge_of_two_windows(tmp_path: Path, edge: int) -> None:
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat=AT_ONCE) as setup:
        for start in (65_536 + edge, 2 * 65_536 + edge):
            for name in (b"a", b'\\"', b"\\\\", b"long" * 10):
                head = b'{"x":"' + b"y" * (start - 15) + b'\\\\", '
                got = await sent_to_candidate(setup, head + b'"model": "' + name + b'"}')
                assert got == head + b'"model": "m-on"}'


async def test_any_json_document_reaches_the_candidate_with_only_its_model_replaced(tmp_path: Path) -> None:
    keys = st.sampled_from(["model", "x", "m\\"]) | st.text()
    documents = JSON | st.dictionaries(keys, JSON)
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat=AT_ONCE) as setup:
        found: list[tuple[bytes, Any]] = []

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(documents, st.booleans(), st.sampled_from([None, 0, 1]))
        def collect(document: Any, ascii_only: bool, indent: int | None) -> None:
            text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
            found.append((text.encode("utf-8", "replace"), document))

        collect()
        for body, document in found:
            got = await sent_to_candidate(setup, body)
            if isinstance(document, dict) and isinstance(document.get("model"), str):
                assert json.loads(got) == json.loads(body) | {"model": "m-on"}
            else:
                assert got == body


TOO_MUCH = [
    (b'{"model":"a","x":"' + b"y" * (4 * MIB) + b'"}', "too_long"),
    (json.dumps({"messages": [{"role": "user", "content": [IMAGE] * 2}], "model": "a"}).encode(), "too_long"),
    (b"[" * (4 * MIB), None),
    (b'{"x":' + b"[" * (4 * MIB), "too_complex"),
    (b'{"x":' + b'"",' * MIB + b'"model":"a"}', "too_complex"),
    (b'{"x":"' + b"\\" * (4 * MIB) + b'","model":"a"}', "too_complex"),
    (b" " * (4 * MIB) + b'{"model":"a"}', "too_complex"),
    (b'{"model"' + b" " * (4 * MIB) + b':"a"}', "too_complex"),
    ('{"model":"a"}'.encode("utf-16"), "unreadable"),
    ('{"model":"a"}'.encode("utf-16-be"), "unreadable"),
    ('{"model":"a"}'.encode("utf-32-le"), "unreadable"),
    (gzip.compress(b'{"model":"a"}'), "unreadable"),
    (b"\x28\xb5\x2f\xfd" + b"a zstd frame", "unreadable"),
]


@pytest.mark.parametrize("theirs", [{}, {"cloud": {}}], ids=["our-baseline", "their-baseline"])
@pytest.mark.parametrize(("body", "reason"), TOO_MUCH, ids=range(len(TOO_MUCH)))
async def test_a_body_that_takes_too_long_is_left_to_the_baseline_and_is_not_the_candidates_error(
    tmp_path: Path, body: bytes, reason: str | None, theirs: dict[str, dict[str, Any]]
) -> None:
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat=AT_ONCE, theirs=theirs) as setup:
        outcomes = OutcomeLog(setup)
        outcome = await outcomes.counted_by(setup.post(body))
        if reason is None:  # not a JSON object, so there is nothing to replace
            assert setup.onprem.last.body == body
            return
        assert [one.body for one in setup.onprem.received] == [b""]
        assert [one.body for one in setup.cloud.received] == [body]
        assert isinstance(outcome, LocalReply)
        assert (outcome.kind, outcome.at_fault) == ("not_renamed", AtFault.NONE)
        setup.cloud.behaviour, setup.cloud.status = "status", 500
        failed = await outcomes.by(setup.post(body))
        assert failed.error == "failover"


FORM = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'
FORMS = {"content-type": "multipart/form-data; boundary=b"}


async def in_chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100_000):
        yield body[start : start + 100_000]


@pytest.mark.parametrize("theirs", [{}, {"cloud": {}}], ids=["our-baseline", "their-baseline"])
async def test_a_form_that_names_the_model_of_the_baseline_is_left_to_it(
    tmp_path: Path, theirs: dict[str, dict[str, Any]]
) -> None:
    chat, long, path = {**AT_ONCE, "match": {"path_prefix": "/"}}, FORM + b"x" * (2 * MIB), "/v1/audio/transcriptions"
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat=chat, theirs=theirs) as setup:
        for body, to in ((FORM, path), (long, path), (FORM, PATH)):  # PATH takes JSON: a form there is a client's fault
            setup.clear_received()
            outcome = await OutcomeLog(setup).counted_by(setup.post(body, FORMS, path=to))
            assert [one.body for one in setup.onprem.received] == [b""]
            assert [one.body for one in setup.cloud.received] == [body]
            assert isinstance(outcome, LocalReply)
            assert (outcome.kind, outcome.at_fault) == ("not_renamed", AtFault.NONE)
        setup.clear_received()
        async with setup.session.post(setup.envoy.live + path, data=in_chunks(long), headers=FORMS) as reply:
            assert reply.status == 200
        assert [one.body for one in setup.onprem.received] == [b""]
        assert [one.body for one in setup.cloud.received] == [long]
        await setup.post(FORM, FORMS, path="/openai/deployments/gpt-4o/audio/transcriptions")
        assert (setup.onprem.last.path, setup.onprem.last.body) == (
            "/openai/deployments/m-on/audio/transcriptions",
            FORM,
        )


async def test_without_a_fallback_the_candidate_gets_such_a_body_as_it_is(tmp_path: Path) -> None:
    async with envoy_with_backends(tmp_path, onprem=ONPREM, chat={**AT_ONCE, "fallback": False}) as setup:
        for body, _ in TOO_MUCH:
            assert await sent_to_candidate(setup, body) == body


async def test_if_the_candidate_has_no_endpoint_the_baseline_gets_such_a_body_at_once(tmp_path: Path) -> None:
    nowhere = {**ONPREM, "url": "http://nowhere.invalid:9"}
    async with envoy_with_backends(tmp_path, onprem=nowhere, cloud={"model": "m-cloud"}, chat=AT_ONCE) as setup:
        for body, _ in TOO_MUCH:
            assert (await setup.post(body)).status == 200
            assert setup.cloud.last.body == body
