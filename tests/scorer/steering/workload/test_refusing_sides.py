"""A side that answers 401, 403 or 404 to most requests is named once in the log, and in the status while it lasts."""

from __future__ import annotations

import json

import pytest

from glidepath.outcome_summaries import Outcomes, SideOutcomes
from glidepath.sides import Origin, Side
from glidepath.status_and_decisions import SideRefusal
from scorer.steering.store_protocol import News
from scorer.steering.workload.workload_state_codec import encode
from tests.support.steered_workload import SteeredWorkload

NAMED = "the candidate onprem answers 401 or 403 to 100% of its requests: check backends.onprem.credential"


def flush(seq: int, requests: int, refused: int, kind: str = "http_401", side: Side = Side.CANDIDATE) -> News:
    counts = SideOutcomes(side, Origin.SHADOW, requests, refused, {kind: refused})
    return News(outcomes=(Outcomes("chat", "x", seq, 2_000 + seq, 2_001 + seq, (counts,)),))


def named(chat: SteeredWorkload, news: News, now_ms: int) -> list[str]:
    return [d.reason for d in chat.decisions(now_ms, news=news) if d.event == "credential_refused"]


@pytest.mark.parametrize("kind", ["http_401", "http_403", "rejected_401", "rejected_403"])
def test_a_candidate_that_refuses_most_requests_is_named_at_once_and_once(chat: SteeredWorkload, kind: str) -> None:
    assert named(chat, flush(1, 3, 3, kind), 3_000) == [NAMED]
    assert named(chat, flush(2, 50, 50, kind), 4_000) == []
    assert NAMED in chat.status(4_000).message
    assert chat.status(4_000).refusals == (SideRefusal("candidate", "credential_refused", *NAMED.split(": ")),)


def test_a_baseline_that_refuses_most_requests_is_named_too(chat: SteeredWorkload) -> None:
    (reason,) = named(chat, flush(1, 4, 3, side=Side.BASELINE), 3_000)
    assert reason.startswith("the baseline cloud answers 401 or 403 to 75% of its requests")


@pytest.mark.parametrize(("requests", "refused", "kind"), [(2, 2, "http_401"), (10, 5, "http_403"), (9, 9, "http_500")])
def test_few_refusals_and_other_errors_name_no_side(
    chat: SteeredWorkload, requests: int, refused: int, kind: str
) -> None:
    assert named(chat, flush(1, requests, refused, kind), 3_000) == []
    assert "credential" not in chat.status(3_000).message


def test_a_credential_that_was_corrected_is_no_longer_named_and_a_later_one_is_named_again(
    chat: SteeredWorkload,
) -> None:
    assert named(chat, flush(1, 90, 90), 3_000) == [NAMED]
    for seq in range(2, 8):
        assert named(chat, flush(seq, 90, 0), 3_000 + seq) == []
    assert "credential" not in chat.status(4_000).message
    assert chat.status(4_000).refusals == ()
    assert len(named(chat, flush(8, 900, 900), 5_000)) == 1


NO_PATH = (
    "the candidate onprem answers 404 to 100% of its requests: "
    "check the path in backends.onprem.url and backends.onprem.strip, "
    "and that the backend knows the model in backends.onprem.model"
)


def not_found(seq: int, requests: int, count: int, side: Side = Side.CANDIDATE) -> News:
    counts = SideOutcomes(side, Origin.LIVE, requests, not_found=count)
    return News(outcomes=(Outcomes("chat", "x", seq, 2_000 + seq, 2_001 + seq, (counts,)),))


def test_a_side_that_answers_404_to_most_requests_is_named_although_no_error_is_counted(chat: SteeredWorkload) -> None:
    found = [d for d in chat.decisions(3_000, news=not_found(1, 4, 4)) if d.event == "path_not_found"]
    assert [d.reason for d in found] == [NO_PATH]
    assert NO_PATH in chat.status(3_000).message
    assert "credential" not in chat.status(3_000).message
    assert not [d for d in chat.decisions(4_000, news=not_found(2, 4, 4)) if d.event == "path_not_found"]


@pytest.mark.parametrize(("requests", "count"), [(2, 2), (10, 5), (100, 3)])
def test_some_404s_name_no_side(chat: SteeredWorkload, requests: int, count: int) -> None:
    assert not [d for d in chat.decisions(3_000, news=not_found(1, requests, count)) if d.event == "path_not_found"]


def test_a_new_step_does_not_forget_the_refusals(chat: SteeredWorkload) -> None:
    named(chat, flush(1, 3, 3), 3_000)
    chat.set_ramp(epoch=chat.state.ramp.epoch + 1)
    chat.tick(3_500)
    assert NAMED in chat.status(3_500).message


def test_refusals_from_before_a_restart_name_no_side_and_later_ones_do(chat: SteeredWorkload) -> None:
    chat.tick(1_500)
    chat.restore(json.loads(encode(chat.state)), 10_000)
    assert named(chat, flush(1, 9, 9), 10_100) == []
    assert named(chat, flush(9_000, 3, 3), 11_100) == [NAMED]


DOWN = (
    "the candidate onprem gives no whole answer to 100% of its requests (no connection, timeout or reset): "
    "check that it runs and is not overloaded, and backends.onprem"
)


@pytest.mark.parametrize(
    "kind", ["no_healthy_upstream", "dns", "connect", "timeout", "tee_timeout", "upstream_died", "reset"]
)
def test_a_side_that_is_down_is_named_once_in_the_log_and_in_the_status_with_what_to_check(
    chat: SteeredWorkload, kind: str
) -> None:
    found = [d.reason for d in chat.decisions(3_000, news=flush(1, 3, 3, kind)) if d.event == "side_not_answering"]
    assert found == [DOWN]
    assert DOWN in chat.status(3_000).message
    assert chat.status(3_000).refusals == (SideRefusal("candidate", "side_not_answering", *DOWN.split(": ")),)
    assert "side_not_answering" not in [d.event for d in chat.decisions(4_000, news=flush(2, 3, 3, kind))]


def test_failures_of_several_kinds_without_an_answer_count_together_and_both_sides_are_named(
    chat: SteeredWorkload,
) -> None:
    kinds = {"connect": 2, "timeout": 2, "reset": 2}
    sides = tuple(SideOutcomes(side, Origin.LIVE, 10, 6, kinds) for side in Side)
    chat.tick(3_000, news=News(outcomes=(Outcomes("chat", "x", 1, 2_001, 2_002, sides),)))
    assert [one.side for one in chat.status(3_000).refusals] == ["baseline", "candidate"]


@pytest.mark.parametrize(
    ("requests", "failed", "kind"), [(2, 2, "connect"), (10, 5, "timeout"), (9, 9, "http_503"), (9, 9, "overflow")]
)
def test_few_failures_and_errors_that_the_side_answered_do_not_mean_that_it_is_down(
    chat: SteeredWorkload, requests: int, failed: int, kind: str
) -> None:
    chat.tick(3_000, news=flush(1, requests, failed, kind))
    assert chat.status(3_000).refusals == ()


def test_a_side_that_answers_again_is_no_longer_named(chat: SteeredWorkload) -> None:
    chat.tick(3_000, news=flush(1, 5, 5, "connect"))
    chat.tick(3_100, news=flush(2, 20, 0))
    assert chat.status(3_100).refusals == ()
