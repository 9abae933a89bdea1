"""Harmless rewrites and harmful changes of an answer, written without looking at the scorer's word lists.

Each function takes a text and a seeded ``random.Random``. It returns the changed text, or None if it cannot change this
text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Mutation = Callable[[str, random.Random], str | None]

_OPENINGS = (
    "Sure! Here's the answer:\n\n", "Certainly! ", "Of course. ", "Great question! ", "Hello! ",
    "Hi there, thanks for asking. ",
    "Absolutely, happy to help!\n\n", "Here is what you asked for:\n\n", "Sure thing.\n",
    "Good question. Let me explain.\n\n",
)  # fmt: skip
_CLOSINGS = (
    "\n\nI hope this helps!", "\n\nLet me know if you have any questions.", " Feel free to ask if anything is unclear!",
    "\n\nIf you need more details, just let me know.", "\n\nIs there anything else I can help you with?",
    "\n\nHappy to help!",
)  # fmt: skip


def greeting(text: str, rng: random.Random) -> str | None:
    return rng.choice(_OPENINGS) + text


def closing(text: str, rng: random.Random) -> str | None:
    return text + rng.choice(_CLOSINGS)


def markdown_dropped(text: str, rng: random.Random) -> str | None:
    del rng
    plain = re.sub(r"^#{1,6} +|^> ?", "", text, flags=re.MULTILINE)
    return _changed(text, re.sub(r"\*\*|__|`{1,3}|(?<!\w)\*(?=\w)|(?<=\w)\*(?!\w)", "", plain))


def markdown_added(text: str, rng: random.Random) -> str | None:
    if "```" in text:
        return None
    words = sorted(set(re.findall(r"\b[A-Za-z]{6,}\b", text)))
    for word in rng.sample(words, min(3, len(words))):
        text = re.sub(rf"\b{word}\b", f"**{word}**", text, count=1)
    return text if words else None


def quotes(text: str, rng: random.Random) -> str | None:
    if rng.random() < 0.5 and ("'" in text or '"' in text):
        return re.sub(r'"([^"\n]*)"', "“\\1”", text).replace("'", "’")
    return _changed(text, text.translate(str.maketrans("’‘“”", "''\"\"")))


def spacing(text: str, rng: random.Random) -> str | None:
    how = rng.randrange(3)
    if how == 0:
        return _changed(text, re.sub(r"\n{2,}", "\n", text))
    if how == 1:
        return _changed(text, re.sub(r"\n", "\n\n", text))
    return _changed(text, re.sub(r"(?<=\.) (?=[A-Z])", "  ", text) + "\n")


def one_line(text: str, rng: random.Random) -> str | None:
    del rng
    return _changed(text, " ".join(text.split())) if "```" not in text else None


def bullets(text: str, rng: random.Random) -> str | None:
    style = rng.choice(("* ", "• ", "– ", "+ "))
    bulleted = re.sub(r"^(\s*)[-*] +", rf"\1{style}", text, flags=re.MULTILINE)
    return _changed(
        text,
        re.sub(r"^(\s*)(\d+)\. +", r"\1\2) " if rng.random() < 0.5 else rf"\1{style}", bulleted, flags=re.MULTILINE),
    )


def contractions(text: str, rng: random.Random) -> str | None:
    del rng
    short = [("do not", "don't"), ("is not", "isn't"), ("cannot", "can't"), ("it is", "it's"), ("does not",
    "doesn't"), ("are not", "aren't"), ("you are", "you're"), ("will not", "won't")]  # fmt: skip
    longer = text
    for full, contracted in short:
        longer = re.sub(rf"\b{contracted}\b", full, longer)
    if longer != text:
        return longer
    for full, contracted in short:
        text = re.sub(rf"\b{full}\b", contracted, text)
    return _changed(longer, text)


def dashes(text: str, rng: random.Random) -> str | None:
    del rng
    return _changed(text, text.replace(" - ", " – ").replace("...", "…").replace("—", " - "))


def spelling(text: str, rng: random.Random) -> str | None:
    del rng
    british = [("color", "colour"), ("organize", "organise"), ("center", "centre"), ("behavior", "behaviour"),
    ("flavor", "flavour"), ("analyze", "analyse"), ("favorite", "favourite"), ("realize", "realise")]  # fmt: skip
    other = text
    for us, uk in british:
        other = re.sub(us, uk, other)
    return _changed(text, other)


_OPENINGS = (
    "Let's dive in.",
    "Here's what I know.",
    "To put it simply:",
    "As requested, this is the answer.",
    "Right away!",
)
_ENDS = (
    "That should cover it.",
    "And that is all there is to it.",
    "Anything else? Just say so.",
    "Thanks for your patience.",
)


def aside(text: str, rng: random.Random) -> str | None:
    """Add a sentence that says nothing, before or after the answer. The scorer's word lists may lack this sentence."""
    return f"{rng.choice(_OPENINGS)} {text}" if rng.random() < 0.5 else f"{text}\n\n{rng.choice(_ENDS)}"


def heading(text: str, rng: random.Random) -> str | None:
    return rng.choice(("## Answer\n\n", "**Overview**\n\n", "# Response\n")) + text


_KINDS = (
    greeting, closing, markdown_dropped, markdown_added, quotes, spacing, one_line, bullets, contractions, dashes,
    spelling, aside, heading,
)  # fmt: skip
HARMLESS: dict[str, Mutation] = {f.__name__: f for f in _KINDS}


def _changed(before: str, after: str) -> str | None:
    return after if after != before else None


def _one_of(
    text: str, pattern: str, rng: random.Random, replace: Callable[[re.Match[str]], str], flags: int = 0
) -> str | None:
    found = list(re.finditer(pattern, text, flags))
    if not found:
        return None
    match = rng.choice(found)
    return _changed(text, text[: match.start()] + replace(match) + text[match.end() :])


def numbers(text: str, rng: random.Random) -> str | None:
    """Change one digit of a number, add a zero, or make the number slightly larger. List numbers stay unchanged."""

    def other(match: re.Match[str]) -> str:
        digits = match[0]
        how = rng.randrange(3)
        if how == 0 and len(digits) < 4 and digits.isdigit():
            return digits + "0"
        if how == 1 and digits.isdigit():
            return str(int(digits) + rng.choice((1, 2, 5, 7)))
        place = rng.choice([i for i, c in enumerate(digits) if c.isdigit()])
        return digits[:place] + rng.choice([d for d in "123456789" if d != digits[place]]) + digits[place + 1 :]

    return _one_of(text, r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.)])|(?<=\s)\d+(?=\.\s+[A-Z])(?<!\n\d)", rng, other)


def negation(text: str, rng: random.Random) -> str | None:
    """Negate one statement, or remove one negation."""
    denied = r"\b(?:is|are|was|were|can|will|should|must|does|do|has|have|could|would) not\b"
    denied += r"|\b(?:isn't|aren't|can't|cannot|don't|doesn't|won't|shouldn't|never)\b"
    if rng.random() < 0.4 and re.search(denied, text):
        return _one_of(text, denied, rng, lambda m: _affirmed(m[0]))
    auxiliary = r"\b(?:is|are|was|were|can|will|should|must|has been|have been|could)\b(?! not|n't)"
    return _one_of(
        text, auxiliary, rng, lambda m: rng.choice((m[0] + " not", m[0] + " never")) if m[0] != "can" else "cannot"
    )


def _affirmed(words: str) -> str:
    simple = {
        "isn't": "is", "aren't": "are", "can't": "can", "cannot": "can", "don't": "do", "doesn't": "does",
        "won't": "will",
        "shouldn't": "should", "never": "always",
    }  # fmt: skip
    return simple.get(words, words.removesuffix(" not"))


_PAIRS = """
million billion|more less|increase decrease|increases decreases|increased decreased|high low|higher lower|
before after|first last|
always never|all none|most few|large small|larger smaller|hot cold|north south|east west|left right|above
below|minimum maximum|
early late|earlier later|fast slow|faster slower|add remove|open close|start end|strong weak|light dark|buy
sell|import export|import use|
positive negative|true false|internal external|morning evening|daily weekly|monday friday|best worst|better
worse|easy difficult|
up down|inside outside|with without|include exclude|longer shorter|long short|old new|young old|rich poor|wet
dry|cheap expensive|
reduce increase|raise lower|gain lose|accept reject|allow forbid|public private|local remote|upper lower|front
back|minutes hours|days weeks|
months years|thousand million|kilometers miles|cups teaspoons|oldest newest|safe dangerous|many few|every no|often
rarely|improve worsen|
boiling freezing|heat cool|warm cool|summer winter|deep shallow|wide narrow|full empty|
success failure|required optional|and or"""


def swapped_words(text: str, rng: random.Random) -> str | None:
    """Replace one word by its opposite, or by another word of the same kind (such as minutes by hours)."""
    table: dict[str, list[str]] = {}
    for pair in " ".join(_PAIRS.split()).split("|"):
        a, b = pair.split()
        table.setdefault(a, []).append(b)
        table.setdefault(b, []).append(a)
    table.pop("and"), table.pop("or"), table.pop("use", None)
    pattern = r"\b(?:" + "|".join(sorted(table, key=len, reverse=True)) + r")\b"

    def other(match: re.Match[str]) -> str:
        word = rng.choice(table[match[0].lower()])
        return word.capitalize() if match[0][0].isupper() else word

    return _one_of(text, pattern, rng, other, re.IGNORECASE)


_NAMES = (
    "Oliver",
    "Kowalski",
    "Tanaka",
    "Brighton",
    "Nairobi",
    "Siemens",
    "Portugal",
    "Fernandez",
    "Chicago",
    "Ingrid",
    "Vietnam",
    "Nokia",
)


def names(text: str, rng: random.Random) -> str | None:
    """Replace one name by another name, everywhere in the text."""
    prose = re.sub(r"```.*?(?:```|$)", "", text, flags=re.DOTALL)
    found = sorted(set(re.findall(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b", prose)))
    if not found:
        return None
    old = rng.choice(found)
    return _changed(text, re.sub(rf"\b{old}\b", rng.choice([n for n in _NAMES if n != old]), text))


def loops(text: str, rng: random.Random) -> str | None:
    """Repeat a sentence, a few words or one word several times, like a model in a loop."""
    sentences = [s for s in re.split(r"(?<=[.!?])\s+", text) if len(s.split()) >= 4] or [text]
    how = rng.randrange(3)
    if how == 0:
        place = rng.randrange(len(sentences))
        again = " ".join([sentences[place]] * rng.randint(2, 6))
        return " ".join([*sentences[: place + 1], again, *sentences[place + 1 :]])
    words = text.split()
    if how == 1:
        return text + " " + " ".join(words[-min(8, len(words)) :] * rng.randint(3, 8))
    cut = rng.randint(len(words) // 2, len(words))
    return " ".join(words[:cut]) + (" " + words[cut - 1]) * rng.randint(8, 40)


_LEAKS = (
    "<|im_end|>", "<|endoftext|>", "</s>", "<|eot_id|>", "[/INST]", "<|im_start|>assistant\n",
    "<end_of_turn>", "<|assistant|>", "### Response:\n", "<s>", "<|end|>",
)  # fmt: skip


def template_leaks(text: str, rng: random.Random) -> str | None:
    leak = rng.choice(_LEAKS)
    if leak.endswith("\n"):
        return leak + text
    return text + leak if rng.random() < 0.7 else leak + " " + text


def truncation(text: str, rng: random.Random) -> str | None:
    """Keep the first 30 to 90 % of the text; the end may be within a word. The finish reason is still ``stop``."""
    cut = int(len(text) * rng.uniform(0.3, 0.9))
    return text[:cut].rstrip() if len(text) > 60 else None


_REFUSALS = (
    "I'm sorry, but I can't help with that.", "I cannot assist with this request.",
    "As an AI language model, I am unable to provide that information.",
    "Sorry, I can't comply with that request. Is there something else I can help you with?",
    "I'm not able to discuss this topic.",
    "I apologize, but I cannot fulfill this request as it goes against my guidelines.",
    "Unfortunately, I won't be able to answer this question.",
)  # fmt: skip


def refusal(text: str, rng: random.Random) -> str | None:
    del text
    return rng.choice(_REFUSALS)


def empty(text: str, rng: random.Random) -> str | None:
    del text
    return rng.choice(("", " ", "\n\n", "```\n```"))


def garbled(text: str, rng: random.Random) -> str | None:
    how = rng.randrange(3)
    if how == 0:
        letters = "abcdefghijklmnopqrstuvwxyz"
        return "".join(rng.choice(letters) if c.isalpha() and rng.random() < 0.4 else c for c in text)
    if how == 1:
        return " ".join("".join(rng.sample(w, len(w))) for w in text.split())
    return "".join(rng.choice("#@~^$%&") if c.isalpha() and rng.random() < 0.3 else c for c in text)


_FOREIGN = (
    "Die Antwort auf diese Frage hängt von mehreren Umständen ab. Zunächst sollte man prüfen, welche Angaben "
    "vorliegen, und danach Schritt für Schritt vorgehen.",
    "La réponse dépend de plusieurs facteurs. Il faut d'abord vérifier les informations disponibles, puis "
    "avancer étape par étape avec prudence.",
    "La respuesta depende de varios factores. Primero conviene revisar los datos disponibles y después avanzar "
    "paso a paso con cuidado.",
    "Odpowiedź zależy od kilku czynników. Najpierw warto sprawdzić dostępne dane, a potem działać krok po kroku "
    "i bez pośpiechu.",
    "这个问题的答案取决于几个因素。首先应该检查现有的信息，然后一步一步地进行，不要着急。",
    "Ответ на этот вопрос зависит от нескольких обстоятельств. Сначала нужно проверить имеющиеся данные, а затем "
    "действовать шаг за шагом.",
)  # fmt: skip


def wrong_language(text: str, rng: random.Random) -> str | None:
    del text
    return rng.choice(_FOREIGN)


HARMFUL: dict[str, Mutation] = {
    f.__name__: f
    for f in (numbers, negation, swapped_words, names, loops, template_leaks, truncation, refusal, empty, garbled,
    wrong_language)
}  # fmt: skip
