"""Lines and items in another order say the same only where nothing counts on their places."""

from __future__ import annotations

import time

import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.document import Document

SAID = "The plan was made in the spring and nobody has touched it.\n\n{}\n\nMore about that is in the second report."


def compared(left: str, right: str) -> Comparison:
    return compare_text(Document(left), Document(right), ScoringSection(), Similarity(0.99, 0.99))


def lines(*items: str) -> str:
    return "\n".join(items)


PROS = "**Pros:**\n- {}\n- {}\n\n**Cons:**\n- {}\n- {}"
TABLE = "| Product | {} | {} |\n|---|---|---|\n| A | {} | {} |\n| B | silent | costly |"
SHELL = "```bash\n{}\n{}\nsudo systemctl start app\n```"
FIXED = [
    (PROS.format("cheap", "fast", "noisy", "big"), PROS.format("noisy", "big", "cheap", "fast")),
    ("Do:\n- Rest a lot\n\nDon't:\n- Take aspirin", "Do:\n- Take aspirin\n\nDon't:\n- Rest a lot"),
    (
        lines("### Allowed", "* paid leave", "* gifts", "", "### Forbidden", "* second jobs"),
        lines("### Allowed", "* paid leave", "", "### Forbidden", "* gifts", "* second jobs"),
    ),
    (
        lines("Tasks for Anna:", "- write the report", "", "Tasks for Ben:", "- book the hotel"),
        lines("Tasks for Anna:", "- book the hotel", "", "Tasks for Ben:", "- write the report"),
    ),
    (
        lines("- Python", "  - dynamic", "  - slow", "- Rust", "  - static", "  - fast"),
        lines("- Python", "  - static", "  - fast", "- Rust", "  - dynamic", "  - slow"),
    ),
    (
        lines("Priorities, most important first:", "", "- Fix the loss", "- Ship it", "- Update the colours"),
        lines("Priorities, most important first:", "", "- Update the colours", "- Ship it", "- Fix the loss"),
    ),
    (TABLE.format("Pros", "Cons", "cheap", "loud"), TABLE.format("Cons", "Pros", "cheap", "loud")),
    (TABLE.format("Pros", "Cons", "cheap", "loud"), TABLE.format("Pros", "Cons", "loud", "cheap")),
    (
        SHELL.format("sudo systemctl stop app", "rm -rf /var/lib/app/cache"),
        SHELL.format("rm -rf /var/lib/app/cache", "sudo systemctl stop app"),
    ),
    (
        lines("```yaml", "rules:", "- deny all", "- allow 10.0.0.0/8", "```"),
        lines("```yaml", "rules:", "- allow 10.0.0.0/8", "- deny all", "```"),
    ),
    ("Bolt, Gay and Powell won, in that order, in Berlin.", "Powell, Gay and Bolt won, in that order, in Berlin."),
    (
        "The order is Jupiter, Saturn and Earth, from the largest to the smallest.",
        "The order is Earth, Saturn and Jupiter, from the largest to the smallest.",
    ),
    ("Ranked by size, Rome, Oslo and Bonn lead.", "Ranked by size, Bonn, Oslo and Rome lead."),
]


@pytest.mark.parametrize(("one", "other"), FIXED)
def test_what_changed_its_place_where_places_count_is_flagged(one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        result = compared(SAID.format(left), SAID.format(right))
        assert "swapped_words" in result.flags
        assert result.agreement < 0.6


FREE = [
    (lines("- apple", "- pear", "- plum"), lines("- plum", "- apple", "- pear")),
    (lines("In no particular order:", "- apple", "- pear"), lines("In no particular order:", "- pear", "- apple")),
    (PROS.format("cheap", "fast", "noisy", "big"), PROS.format("fast", "cheap", "big", "noisy")),
    (
        lines("- Python", "  - dynamic", "  - slow", "- Rust", "  - static", "  - fast"),
        lines("- Rust", "  - fast", "  - static", "- Python", "  - slow", "  - dynamic"),
    ),
    (
        lines("| City | Rooms |", "|---|---|", "| Oslo | 12 |", "| Bergen | 30 |"),
        lines("| City | Rooms |", "|---|---|", "| Bergen | 30 |", "| Oslo | 12 |"),
    ),
    (lines("```yaml", "name: a", "image: b", "```"), lines("```yaml", "image: b", "name: a", "```")),
    ("Call us in order to book Rome, Oslo and Bonn.", "Call us in order to book Bonn, Oslo and Rome."),
]


@pytest.mark.parametrize(("one", "other"), FREE)
def test_a_set_in_another_order_is_nearly_the_same(one: str, other: str) -> None:
    for left, right in ((one, other), (other, one)):
        result = compared(SAID.format(left), SAID.format(right))
        assert result.flags == ()
        assert 0.9 < result.agreement < 1


@pytest.mark.parametrize(
    "unit",
    ["- a\n", "- a\n  - b\n", "|", "| a | b |\n", "|a\n", "```\n- a\n", "from the ", "in the order ", "- "],
    ids=repr,
)
def test_lists_without_end_cost_no_more_than_their_length(unit: str) -> None:
    text = unit * (64_000 // len(unit))
    began = time.process_time()
    compared(text + "x", "- y\n" + text)
    assert time.process_time() - began < 2.5
