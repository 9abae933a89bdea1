"""Pairs that are too old get a result without a score."""

from __future__ import annotations

from glidepath.pairs import PairKind
from glidepath.protobuf_codec import decode_scored, encode_pair
from scorer.scoring.worker.stale_pairs import BACKLOG_REASON, SHORT_MS, stale_before_ms, stale_results, written_ms
from tests.support.answer_pairs import noise_pair, pair


def test_pairs_too_far_behind_the_newest_are_written_off():
    assert stale_before_ms(newest_ms=100_000, step_start_ms=0, max_backlog_s=60) == 40_000


def test_pairs_of_an_earlier_step_are_written_off_sooner():
    assert stale_before_ms(newest_ms=100_000, step_start_ms=90_000, max_backlog_s=60) == 90_000


def test_without_a_backlog_the_start_of_a_step_writes_off_no_pair():
    assert stale_before_ms(newest_ms=100_000, step_start_ms=99_999, max_backlog_s=60) == 100_000 - SHORT_MS


def test_a_stale_pair_of_either_kind_gets_a_result_with_the_reason():
    cross, noise = (
        decode_scored(r.scored) for r in stale_results([encode_pair(pair("a")), encode_pair(noise_pair("n"))], 7)
    )
    assert (cross.pair_id, cross.scored, cross.unscored_reason, cross.scored_at_ms) == ("a", False, BACKLOG_REASON, 7)
    assert cross.captured_at_ms == 1000
    assert cross.baseline.backend == "cloud"
    assert (noise.kind, noise.scored) == (PairKind.NOISE, False)


def test_unreadable_bytes_are_reported_as_unreadable():
    (result,) = stale_results([b"nonsense"], 7)
    assert "not zstd" in result.unreadable


def test_the_time_of_writing_is_read_from_an_entry_id():
    assert written_ms("1700000000123-4") == 1_700_000_000_123
    assert written_ms("a-0") == 0
