"""The statuses after which the baseline is asked: the registered 4xx."""

from __future__ import annotations

from http import HTTPStatus

from glidepath.outcome_summaries import CAPABILITY_STATUSES, OTHER_REFUSALS, REFUSALS, kind_of_refusal

# They concern the client's credential, a proxy's, and the quota. 418 is registered as unused.
OWN_RULES = {401, 403, 407, 418, 429}


def test_every_registered_4xx_without_a_rule_of_its_own_is_a_refusal() -> None:
    registered = {int(status) for status in HTTPStatus if 400 <= status < 500}
    assert list(REFUSALS) == sorted(registered - OWN_RULES)


def test_a_refusal_that_may_not_last_has_a_kind_of_its_own() -> None:
    assert not {*CAPABILITY_STATUSES} & {*OTHER_REFUSALS}
    assert {kind_of_refusal(status) for status in CAPABILITY_STATUSES} == {"capability"}
    assert kind_of_refusal(424) == "rejected_424"
