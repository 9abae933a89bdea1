"""Texts become tokens, whose keys are equal if two tokens mean the same."""

from __future__ import annotations

import pytest

from scorer.scoring.compare.text import tokenizer
from scorer.scoring.compare.text.language_detection import language_of
from scorer.scoring.compare.text.tokenizer import tokenize
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, UNKNOWN, lexicon_of
from tests.support.comparison_cases import cases


@pytest.mark.parametrize(("one", "other"), cases("tokens.yaml", "equal_keys"))
def test_two_forms_of_the_same_thing_have_the_same_key(one: str, other: str) -> None:
    lexicon = lexicon_of(language_of(f"{one} {other}"))
    assert [t.key for t in tokenize(one, lexicon)] == [t.key for t in tokenize(other, lexicon)]


def test_different_numbers_have_different_keys() -> None:
    keys = [
        "".join(t.key for t in tokenize(f"at {n} units", lexicon_of(ENGLISH)))
        for n in ("5", "-5", "5.1", "50", "5 million", "5 billion", "05:30")
    ]
    assert len(set(keys)) == len(keys)


def test_a_decimal_comma_is_read_only_in_languages_that_have_one() -> None:
    assert [t.key for t in tokenize("It is 1.500 here and 3,4 there.", lexicon_of(ENGLISH))][2::3] == ["1.5", "3"]
    german = tokenize("Das ist der Preis und die 3,5 sind nicht viel.", lexicon_of("de"))
    assert "3.5" in [t.key for t in german]


def test_a_number_word_is_a_number_only_in_its_language() -> None:
    assert "30" in [t.key for t in tokenize("für dreißig Gäste", lexicon_of("de"))]
    assert "11" in [t.key for t in tokenize("hay once personas", lexicon_of("es"))]
    assert "11" not in [t.key for t in tokenize("it happened once here", lexicon_of(ENGLISH))]
    assert [t.key for t in tokenize("three", lexicon_of(UNKNOWN))] == ["three"]


@pytest.mark.parametrize(
    ("language", "text", "keys"),
    [
        ("hi", "रद्द नहीं कर सकते", ["रद्द", "नहीं", "कर", "सकते"]),
        ("bn", "করতে পারেন না", ["করতে", "পারেন", "না"]),
        ("th", "ไม่ได้ กิน", ["ไม่ได้", "กิ", "น"]),
        ("zh", "特别不好", ["特别", "不", "好"]),
        ("zh", "十二只猫和一只狗", ["12", "只", "猫", "和", "一", "只", "狗"]),
        ("zh", "第三天千万别来", ["第", "3", "天", "千万", "别", "来"]),
        ("en", "the sign 三个", ["the", "sign", "三", "个"]),
        ("ja", "できません", ["で", "き", "ません"]),
        ("en", "a naïve cafe\u0301", ["a", "naïve", "cafe\u0301"]),
    ],
)
def test_a_word_keeps_its_marks_and_an_unspaced_script_has_a_token_for_each_letter(
    language: str, text: str, keys: list[str]
) -> None:
    assert [t.key for t in tokenize(text, lexicon_of(language))] == keys


class _NoChunks(dict[str, None]):
    """No chunk is known, so each one is searched for its tokens."""

    def __missing__(self, chunk: str) -> None:
        return None


@pytest.mark.parametrize(
    "text",
    [
        "It costs USD 5, not USD, and 1 500 000 people know.",
        'A few of us, as soon as possible: for example "once" (twice).',
        "Don't use e.g. www.example.com. or x-min, (-x) and well-known state-of-the-art names.",
        "Between 5 and 10 minutes, five-ten, No. 5, no longer; May 5, the United States.",
        "1. Open the door. 2) Close it - slowly - on 5. March, HIV+ A- n-1 = -x.",
        "The quick U.S. fox's l'été [sic] isn't here!? ... 'tis",
    ],
)
def test_a_known_chunk_has_the_tokens_that_a_search_finds(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in (ENGLISH, "de", UNKNOWN):
        known = tokenize(text, lexicon_of(language))
        monkeypatch.setattr(tokenizer, "words_of_chunks", lambda lexicon: _NoChunks())
        assert known == tokenize(text, lexicon_of(language))
        monkeypatch.undo()
