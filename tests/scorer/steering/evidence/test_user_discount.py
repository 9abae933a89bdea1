"""Pairs of one user are discounted, but never to zero."""

from __future__ import annotations

from scorer.steering.evidence.user_discount import UserDiscount
from tests.support.evidence_builders import through_json


def counted(cap: UserDiscount, keys: list[str]) -> int:
    return sum(cap.admits(key) for key in keys)


def test_without_stickiness_every_pair_counts() -> None:
    assert counted(UserDiscount(), [""] * 50) == 50


def test_few_users_count_in_full() -> None:
    assert counted(UserDiscount(), ["a", "b", "c"] * 50) == 150


def test_of_many_users_in_turn_nearly_all_pairs_count() -> None:
    assert counted(UserDiscount(), [f"u{i % 200}" for i in range(2000)]) > 1700


def test_a_user_with_half_of_the_traffic_gets_a_ninth_of_the_weight() -> None:
    cap = UserDiscount()
    counted(cap, [f"u{i}" for i in range(500)])
    loud = sum(cap.admits("loud") for i in range(900) for _ in [cap.admits(f"u{i % 300}")])
    assert 60 <= loud <= 130


def test_pairs_of_one_user_alone_are_discounted_but_still_count() -> None:
    cap = UserDiscount()
    counted(cap, [f"u{i}" for i in range(500)])
    assert 25 <= counted(cap, ["loud"] * 1000) <= 40


def test_the_state_can_be_restored_from_json() -> None:
    cap, twin = UserDiscount(), UserDiscount()
    counted(cap, [f"u{i % 70}" for i in range(200)])
    twin.restore(through_json(cap.state))
    keys = [f"u{i % 9}" for i in range(60)]
    assert [twin.admits(k) for k in keys] == [cap.admits(k) for k in keys]
