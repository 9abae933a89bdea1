"""Find reordered lists within a sentence, such as "red, green and blue", and decide whether their order matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from scorer.scoring.compare.text.tokens import Token
from scorer.scoring.compare.vocabulary.lexicon import Lexicon, word_data, words

_LONGEST = 60  # maximum number of words of a passage that can be a list
_ORDER = {name: words(text) for name, text in word_data("languages/any")["order"].items()}
_SEQUENCE_WORDS = _ORDER["respectively"] | _ORDER["sequence"]


def same_items_reordered(left: Sequence[Token], right: Sequence[Token], lexicon: Lexicon) -> bool:
    """Return whether both passages are lists of the same items in different orders."""
    if not 2 <= len(left) <= _LONGEST or len(right) > _LONGEST or any(t.code for t in left):
        return False
    one, other = _items(left, lexicon), _items(right, lexicon)
    return len(one) >= 2 and one != other and Counter(one) == Counter(other)


def order_matters(before: Sequence[Token], listed: Sequence[Token], after: Sequence[Token]) -> bool:
    """Return whether words in or around a list give it an order, such as "respectively" or "from the largest".

    ``listed`` contains the tokens of the list. ``before`` and ``after`` contain the tokens before and after the list.
    """
    if any(t.key in _SEQUENCE_WORDS for t in listed):
        return True
    start = _sentence_start(before)
    end = next((i for i, t in enumerate(after) if t.opens), len(after))
    words = ["", *(t.key for t in before[start:]), "", *(t.key for t in after[:end]), "", ""]
    return any(_names_an_order(words, i) for i in range(1, len(words) - 2))


def _sentence_start(before: Sequence[Token]) -> int:
    """Return the index in ``before`` at which the sentence with the list begins. The list follows ``before``.

    The words after a colon count as a new sentence. If they are items of the list, the result is the beginning of the
    sentence before the colon, because that sentence may name the order: "in this order: flour, …".
    """
    starts = [i for i, t in enumerate(before) if t.opens]
    items = before[starts[-1] :] if starts else ()
    if len(starts) > 1 and len(items) <= 2 * (1 + sum(t.comma for t in items)):
        return starts[-2]
    return starts[-1] if starts else 0


def _names_an_order(words: list[str], i: int) -> bool:
    word = words[i]
    if word == "order":
        in_order = words[i - 1] == "in" and words[i + 1] != "to"
        return words[i - 1] in _ORDER["kinds"] or in_order or words[i + 1] in _ORDER["after"]
    if word in ("from", "with"):
        return any(w.endswith("est") or w in _ORDER["extremes"] for w in words[i + 1 : i + 3])
    top = word == "top" and words[i + 1].isdecimal()  # the top 3
    return top or word in _ORDER["respectively"] | _ORDER["ranked"]


def _items(tokens: Sequence[Token], lexicon: Lexicon) -> list[tuple[str, ...]]:
    items: list[list[str]] = [[]]
    for i, token in enumerate(tokens):
        if token.key in lexicon.connectors:
            items.append([])
            continue
        if i and token.comma:
            items.append([])
        if token.key not in _SEQUENCE_WORDS and token.key not in lexicon.stop_words:
            items[-1].append(token.key)
    return [tuple(item) for item in items if item]
