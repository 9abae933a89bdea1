"""What stands at the end of an answer like an offer of help, and says something of the matter."""

from __future__ import annotations

import time

import pytest

from scorer.scoring.compare.text.canonical_text import canonical

SAID = "Take two tablets a day with water and rest for an hour. You may drive after that."


@pytest.mark.parametrize(
    "last",
    [
        "I hope this helps, but never take it with alcohol.",
        "If there is bleeding, please let me know and go to the hospital.",
        "Let me know by noon whether to cancel the order.",
        "Let me know before you take more than that.",
        "Let me know whether to cancel the order.",
        "Let me know if you took ibuprofen as that would be dangerous.",
        "Feel free to ask your doctor for a higher dose.",
        "If you are pregnant, let me know, because then you must not take it.",
        "If you feel dizzy, please don't hesitate to contact us at once.",
        "If anything burns, don't hesitate to contact the fire brigade, just ask the neighbours.",
        "If you need more, feel free to ask: it must not exceed four.",
        "Let me know if you want more, and stop when it hurts.",
    ],
)
def test_a_last_sentence_that_says_more_than_an_offer_stays(last: str) -> None:
    assert canonical(f"{SAID} {last}") == f"{SAID} {last}"


@pytest.mark.parametrize(
    "last",
    [
        "I hope this helps!",
        "Let me know if you'd like more details or have any questions.",
        "Let me know if you have any other questions and concerns.",
        "Feel free to ask if you have any questions.",
        "If you need anything else, just let me know!",
        "Don't hesitate to ask if anything is unclear.",
        "Let me know how it goes!",
        "Let me know what you think.",
        "Hope this helps, and let me know if you have questions!",
        "Please let me know if there is anything else I can help with.",
        "If you'd like, I can also write a test for it.",
        "If you tell me your budget, I can give you a better list.",
        "Let me know which one you prefer and I can go into detail.",
        "Is there anything else you'd like to know?",
    ],
)
def test_an_offer_goes(last: str) -> None:
    assert canonical(f"{SAID} {last}") == SAID


@pytest.mark.parametrize("unit", ["let me know if you ", "if you want ", "and i will ", "feel free to ask ", "not "])
def test_offers_without_end_cost_no_more_than_their_length(unit: str) -> None:
    text = unit * (64_000 // len(unit))
    began = time.process_time()
    canonical(text + "x. " + text)
    assert time.process_time() - began < 2.5
