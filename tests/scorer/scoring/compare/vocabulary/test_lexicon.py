"""The words of each language, and how they are used in a comparison."""

from __future__ import annotations

from dataclasses import fields

import pytest

from scorer.scoring.compare.signals.document_pair import DocumentPair
from scorer.scoring.compare.signals.word_changes import negation, numbers
from scorer.scoring.compare.text.parsed_document import Document
from scorer.scoring.compare.vocabulary.lexicon import ENGLISH, UNKNOWN, known_languages, lexicon_of
from tests.support.comparison_cases import cases

# The twelve languages of the goals, and others that many people write in.
WANTED = set("ar de en es fr hi ja pl ru tr vi zh bn cs da el fa fi he hu id it ko nl no pt ro sv th uk".split())  # noqa: SIM905
NEGATED = cases("negation_by_language.yaml", "negated")


def compared(left: str, right: str) -> DocumentPair:
    return DocumentPair(Document(left, beside=right), Document(right, beside=left))


@pytest.mark.parametrize(("language", "text", "negated"), NEGATED)
def test_a_negation_is_seen_in_its_language(language: str, text: str, negated: str) -> None:
    pair = compared(text, negated)
    assert (pair.left.language, pair.right.language) == (language, language)
    assert negation(pair).effect >= 0.4
    assert negation(compared(negated, text)).effect >= 0.4


@pytest.mark.parametrize(("language", "text", "other"), cases("negation_by_language.yaml", "affirmed"))
def test_what_only_looks_like_a_negation_is_none(language: str, text: str, other: str) -> None:
    pair = compared(text, other)
    assert (pair.left.language, pair.right.language) == (language, language)
    assert negation(pair).effect == 0.0


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("La réunion du comité aura lieu lundi à neuf heures.", "La réunion du comité aura lieu mardi à neuf heures."),
        ("Die Sitzung des Rates ist am Mittwoch um neun Uhr.", "Die Sitzung des Rates ist am Samstag um neun Uhr."),
        ("Die Bücherei der Stadt öffnet wieder im März.", "Die Bücherei der Stadt öffnet wieder im Mai."),
        ("La reunión del comité es el miércoles.", "La reunión del comité es el sábado."),
        ("La riunione del comitato è giovedì mattina.", "La riunione del comitato è venerdì mattina."),
        ("A reunião do comitê é na terça-feira.", "A reunião do comitê é na quinta-feira."),
        ("Het bedrijf sluit in maart zijn kantoor.", "Het bedrijf sluit in mei zijn kantoor."),
        ("Mötet med kommunen är på lördag morgon.", "Mötet med kommunen är på söndag morgon."),
        ("Mødet med kommunen bliver holdt på lørdag.", "Mødet med kommunen bliver holdt på søndag."),
        ("Møtet med kommunen blir holdt i januar.", "Møtet med kommunen blir holdt i desember."),
    ],
)
def test_another_weekday_or_month_is_seen_in_its_language(text: str, other: str) -> None:
    assert numbers(compared(text, other)).effect >= 0.5
    assert numbers(compared(text, text)).effect == 0.0


def test_every_wanted_language_has_its_words_and_a_negation_among_the_cases() -> None:
    assert known_languages() >= WANTED
    assert {case.values[0] for case in NEGATED} >= WANTED


@pytest.mark.parametrize("language", sorted(known_languages()))
def test_the_words_of_a_language_are_as_tokens_have_them(language: str) -> None:
    lexicon = lexicon_of(language)
    assert lexicon.language == language
    assert lexicon.negations
    assert lexicon.stop_words
    for field in fields(lexicon):
        value = getattr(lexicon, field.name)
        if isinstance(value, frozenset) and field.name not in ("opposites", "synonyms"):
            assert all(word == word.casefold() for word in value), field.name
    assert all(word == word.casefold() for word in lexicon.numbers)


def test_an_unknown_language_has_only_the_words_that_need_no_language() -> None:
    unknown, common = lexicon_of("tlh"), lexicon_of(UNKNOWN)
    assert unknown.language == common.language == UNKNOWN
    assert not unknown.stop_words
    assert not unknown.numbers
    assert not unknown.opposites
    assert "api" in unknown.not_names
    assert not any(unknown.negates(word) for word in ("not", "no", "nicht", "sin", "không"))


@pytest.mark.parametrize("word", ["die", "son", "sin", "pas", "non", "ni", "das", "no hay", "os", "es", "man", "hindi"])
def test_a_word_of_another_language_is_no_word_of_english(word: str) -> None:
    english = lexicon_of(ENGLISH)
    assert word not in english.stop_words
    assert not english.negates(word)
    assert word not in english.connectors


@pytest.mark.parametrize(
    ("language", "negations", "negated"), [("en", 1, True), ("en", 2, False), ("es", 1, True), ("es", 2, True)]
)
def test_two_negations_cancel_each_other_except_in_languages_that_repeat_them(
    language: str, negations: int, negated: bool
) -> None:
    assert lexicon_of(language).negated(negations) is negated
    assert not lexicon_of(language).negated(0)


@pytest.mark.parametrize(
    "word", ["gelmiyor", "edemezsiniz", "gelmedi", "gitmeyecek", "okumamalısın", "değil", "yapmadan"]
)
def test_turkish_negates_a_verb_by_a_syllable_inside_it(word: str) -> None:
    assert lexicon_of("tr").negates(word)


@pytest.mark.parametrize("word", ["gelme", "gelmesi", "namaz", "elmadan", "zaman", "masada", "okuma", "memur"])
def test_a_turkish_noun_with_the_same_syllable_negates_nothing(word: str) -> None:
    assert not lexicon_of("tr").negates(word)
