"""Workloads found in groups of calls: their order with its reason, their sections, and the text of 80 columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from glidepath.call_classes import CallClass
from glidepath.config import parse_config
from glidepath.config.inventory import KindsSection
from glidepath.inventory.tally import GroupKey, Source, Tally, count_value
from glidepath_ops.inventory.answer_variation import AnswerVariation, VariationBasis
from glidepath_ops.inventory.eligible_share import CandidateLimits
from glidepath_ops.inventory.estimate import Traffic
from glidepath_ops.inventory.found_workloads import Inventory, Question, all_sections, found_workloads, section_text
from glidepath_ops.inventory.migration_order import reason, short_number
from glidepath_ops.inventory.read_inventory import ReadTraffic
from glidepath_ops.inventory.show import as_json, lines
from glidepath_ops.inventory.workload_fragment import Sides, sides_for

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
DAY_MS = 86_400_000
SIDES = Sides("baseline", "candidate")
Group = tuple[GroupKey, Tally]


def group(
    caller: str,
    model: str = "gpt-4o",
    path: str = CHAT,
    *,
    requests: int = 1000,
    tokens: int = 500,
    shape: str = "text",
    streamed: int = 0,
    call: CallClass = CallClass.INFERENCE,
    **more: Any,
) -> Group:
    tally = Tally(requests=requests, streamed=streamed, **more)
    if call is CallClass.INFERENCE:
        one = tally.shape(shape)
        one.requests = requests
        count_value(one.tokens, tokens)
        one.tokens = dict.fromkeys(one.tokens, requests)
    return GroupKey(Source.BODY, path, call, model, caller), tally


def inventory(
    *groups: Group, kinds: KindsSection | None = None, configured: frozenset[str] = frozenset(), **limits: Any
) -> Inventory:
    traffic = Traffic()
    traffic.add_period(dict(groups))
    read = ReadTraffic(traffic, DAY_MS, 31 * DAY_MS, variations=VARIATIONS)
    candidate = CandidateLimits("onprem", **limits)
    return found_workloads(read, Question(candidate, SIDES, kinds or KindsSection(), configured))


VARIATIONS = {"steady": AnswerVariation(VariationBasis.NOISE_FLOOR, 0.97, 500)}


def order(found: Inventory) -> list[str]:
    return [one.group.key.caller for one in found.workloads]


def test_batch_comes_before_internal_and_internal_before_customers() -> None:
    kinds = KindsSection(batch=("x-team=nights",), customer=("x-team=shop",))
    found = inventory(group("x-team=shop", requests=10**6), group("x-team=staff"), group("x-team=nights"), kinds=kinds)
    assert order(found) == ["x-team=nights", "x-team=staff", "x-team=shop"]
    assert [one.kind.declared for one in found.workloads] == [True, False, True]
    assert reason(found.workloads[0]).startswith("batch (declared); 1.0k requests a month; 100% can move")
    rare, short = replace(found.workloads[0], month=0.2), replace(found.workloads[0], month=None)
    assert "; less than 1 request a month; " in reason(rare)
    assert "month" not in reason(short)


def test_within_a_kind_more_eligible_and_tolerant_requests_come_first() -> None:
    found = inventory(
        group("x-team=few-jobs", requests=10),
        group("x-team=many-jobs", requests=10**6),
        group("x-team=long-jobs", requests=10**6, tokens=50_000, state=0),
        group("x-team=vary-jobs", requests=10**6, repeats=100, same=10),
        context=8192,
    )
    assert order(found) == ["x-team=vary-jobs", "x-team=many-jobs", "x-team=few-jobs", "x-team=long-jobs"]
    assert "0% can move (100% are longer than its context)" in reason(found.workloads[-1])
    assert "90% of 100 repeats answered differently" in reason(found.workloads[0])


def test_streams_tell_people_from_programs() -> None:
    found = inventory(group("key:1", streamed=900), group("key:2"), group("key:3", streamed=200))
    assert {one.group.key.caller: one.kind.kind.value for one in found.workloads} == {
        "key:1": "customer",
        "key:2": "internal",
        "key:3": "customer",
    }


def test_other_calls_are_no_workloads() -> None:
    found = inventory(group("none"), group("none", "", "/v1/files", call=CallClass.MANAGEMENT, requests=7))
    assert len(found.workloads) == 1
    assert [(one.key.path, one.requests) for one in found.others] == [("/v1/files", 7)]
    assert found.requests == 1007


def test_a_workload_of_the_configuration_has_its_noise_floor_and_no_new_section() -> None:
    found = inventory(group("none", workloads={"steady": 990}), configured=frozenset({"steady"}))
    (one,) = found.workloads
    assert (one.section, str(one.variation)) == ("steady", "agrees with itself 0.97 (500 pairs)")
    assert list(all_sections(found, SIDES, frozenset({"steady"}))) == ["backends.yaml"]


GROUPS = (
    group("x-team=etl"),
    group("x-team=web 2/ü?", streamed=1000),
    group("key:aabbccddeeff", shape="tools"),
    group("key:001122334455"),
    group("x-team=etl", "text-embedding-3-small", EMBEDDINGS),
    group("none", "gpt-4o", "/openai/deployments/gpt-4o/chat/completions"),
    group("none", "", "/v1/rerank"),
    group("none", "llama", "/tenants/{id}/v1/chat/completions"),
    group("other", 'a"b: {}', "/v1/messages"),
    group("none", "gpt-4o", "/v1/responses"),
)


def test_each_section_is_a_valid_configuration() -> None:
    found = inventory(*GROUPS)
    assert len(found.workloads) == len(GROUPS)
    assert len({one.name for one in found.workloads}) == len(GROUPS)
    for one in found.workloads:
        config = parse_config(section_text(found, one, SIDES))
        assert list(config.workloads) == [one.section]


def test_all_sections_together_are_a_valid_configuration() -> None:
    files = all_sections(inventory(*GROUPS), SIDES, frozenset())
    merged: dict[str, Any] = {}
    for text in files.values():
        for name, section in yaml.safe_load(text).items():
            merged.setdefault(name, {}).update(section)
    config = parse_config(yaml.safe_dump(merged))
    assert len(config.workloads) == len(files) - 1
    tasks = {name: workload.task for name, workload in config.workloads.items()}
    assert tasks["etl-embeddings-text-embedding-3-small"] == "embeddings"
    assert tasks["rerank"] == "rerank"
    assert config.workloads["etl-chat-gpt-4o"].match.headers == {"x-team": "etl"}
    assert config.workloads["chat-llama"].match.path_prefix == "/tenants"


def test_callers_known_by_their_key_share_a_section_that_says_so() -> None:
    found = inventory(*GROUPS)
    shared = [one for one in found.workloads if one.group.key.caller.startswith("key:")]
    assert len({one.section for one in shared}) == 1
    assert "Only a header can tell them apart" in section_text(found, shared[0], SIDES)


def test_an_envoy_that_is_only_observed_keeps_its_cluster_as_the_baseline() -> None:
    found = inventory(group("x-team=etl", backends={"openai": 1000}))
    sides = sides_for(parse_config("inventory: {}"), [one.group for one in found.workloads], None, None)
    config = parse_config(section_text(found, found.workloads[0], sides))
    assert config.backends["baseline"].cluster == "openai"
    assert config.workloads[found.workloads[0].section].baseline == "baseline"


def test_a_configuration_that_has_the_backends_gets_workloads_only() -> None:
    found = inventory(group("x-team=etl"))
    text = section_text(found, found.workloads[0], Sides("cloud", "onprem", frozenset({"cloud", "onprem"})))
    assert list(yaml.safe_load(text)) == ["workloads"]


def test_the_text_names_what_is_not_known() -> None:
    found = inventory(group("key:aabbccddeeff"))
    text = "\n".join(lines(found, ReadTraffic(Traffic(), DAY_MS, 31 * DAY_MS), {}, 10))
    assert "no prices" in text
    assert "what can move: onprem, no limits given" in text
    assert "not measured; run its section at 0 %" in text
    assert "keyed digest" in text


def test_the_text_names_other_calls_and_what_was_beyond_the_limit() -> None:
    found = inventory(
        group("none"),
        group("none", "", "/v1/files", call=CallClass.MANAGEMENT, requests=7),
        group("other", "", "other", requests=9000),
    )
    text = list(lines(found, ReadTraffic(Traffic(), DAY_MS, 31 * DAY_MS), {}, 10))
    assert "9,000 requests of further workloads were counted together; raise inventory.groups" in text
    assert "other calls, which stay where they are: 7 management" in text
    assert found.requests == 10_007


def test_json_has_every_workload_and_its_section() -> None:
    found = inventory(*GROUPS)
    texts = {one.name: section_text(found, one, SIDES) for one in found.workloads}
    values = as_json(found, ReadTraffic(Traffic(), DAY_MS, 31 * DAY_MS), {}, texts)
    assert [one["place"] for one in values["workloads"]] == list(range(1, len(GROUPS) + 1))
    assert all("workloads:" in one["section"] for one in values["workloads"])
    assert values["requests"] == sum(one["requests"] for one in values["workloads"])


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (999.6, "1.0k"), (1234, "1.2k"), (9999, "10k"), (10**6, "1.0M"), (2.5e9, "2.5G")],
)
def test_short_numbers(number: float, text: str) -> None:
    assert short_number(number) == text
