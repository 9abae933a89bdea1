"""Faults of a single text, and texts that only look as if they had a fault."""

from __future__ import annotations

import json

import pytest

from glidepath.answer_faults import AnswerFault, Grade
from scorer.scoring.answers import Choice, Expectation, FinishReason
from scorer.scoring.judge.text_faults import READ, text_faults

PROSE = (
    "The old bridge was built in 1742 and carried the road to the coast for two centuries. When the railway came, the"
    " town grew on the other bank, and a wider bridge replaced it. Today only walkers cross the old one."
)
GERMAN = (
    "Die alte Brücke wurde im Jahr 1742 gebaut und trug die Straße zur Küste zwei Jahrhunderte lang. Als die Eisenbahn"
    " kam, wuchs die Stadt am anderen Ufer, und eine breitere Brücke ersetzte sie."
)
FRENCH = (
    "Le vieux pont a été construit en 1742 et a porté la route vers la côte pendant deux siècles. Quand le chemin de"
    " fer est arrivé, la ville s'est étendue sur l'autre rive."
)
JAPANESE = (
    "この古い橋は一七四二年に建てられ、二世紀にわたって海岸への道を支えま"
    "した。鉄道が来ると、町は対岸に広がり、より広い橋に替わりました。"
)
STREET = "Please tell me in a few sentences what the history of the old bridge in our town is."


def kinds(
    text: str, prompt: str = "Tell me about it.", finish: FinishReason = FinishReason.STOP, **more: object
) -> set[AnswerFault]:
    expected = Expectation(prompt=prompt, **more)  # type: ignore[arg-type]
    faults = text_faults(Choice(text=text, finish_reason=finish), expected)
    assert all(fault.grade is Grade.DEFECT and fault.where for fault in faults)
    assert len({fault.kind for fault in faults}) == len(faults)
    return {fault.kind for fault in faults}


@pytest.mark.parametrize("text", ["", "4", "Yes.", PROSE, GERMAN, FRENCH, JAPANESE, f"1. {PROSE}\n2. C++\n- a\n-"])
def test_a_sound_text_has_no_fault(text: str) -> None:
    assert kinds(text, "") == set()


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "As an AI language model, I cannot provide legal advice.",
        "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.",
        "Je suis désolé, je ne peux pas vous aider.",
        "Lo siento, no puedo ayudarte con eso.",
        "Mi dispiace, non posso aiutarti.",
        "Sinto muito, não posso ajudar com isso.",
        "抱歉,我无法提供这方面的帮助。",
        "申し訳ありませんが、お手伝いできません。",
        "죄송하지만 도와드릴 수 없습니다.",
        "К сожалению, я не могу помочь с этим.",
    ],
)
def test_a_refusal_is_a_defect_in_every_language(text: str) -> None:
    assert AnswerFault.REFUSAL in kinds(text)


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a polite email that declines the invitation.",
        "Write one sentence in which a shop assistant refuses a refund.",
        "Reply only with: I'm sorry, but I can't help with that.",
        "Formuliere eine höfliche Absage.",
        "Rédige un refus poli.",
        "请写一句婉拒的话。",
        "丁寧に断る文を書いてください。",
    ],
)
def test_a_refusal_that_is_asked_for_is_none(prompt: str) -> None:
    assert AnswerFault.REFUSAL not in kinds("I'm sorry, but I can't help with that.", prompt)


def test_a_refusal_that_the_instructions_may_ask_for_is_none() -> None:
    instructions = "Only answer questions about our bikes."
    assert kinds("I'm sorry, but I can't help with that.", "How old is the moon?", instructions=instructions) == set()


@pytest.mark.parametrize("prompt", ["I can't open the file. What now?", "My printer is not able to print, sorry."])
def test_a_prompt_that_only_uses_such_words_hides_no_refusal(prompt: str) -> None:
    assert AnswerFault.REFUSAL in kinds("I'm sorry, but I can't help with that.", prompt)


@pytest.mark.parametrize(
    "text",
    [
        "It is beyond my wildest dreams how good that concert was. The band played for three hours.",
        "This is something I won't forget for the rest of my life: the whole valley was full of light.",
        "That's something we can't explain with classical physics, so we need quantum mechanics.",
        "该请求不能提供空的正文，否则服务器返回 400。",
        "这个问题暂时无法提供精确的数字，但是一般认为大约有三千种。",
        "Dear Ms Brown,\n\nI'm sorry, but I can't help you with the move on Saturday.\n\nYours, Mia",
        '"I can\'t help with that," said the clerk, and shut the window.',
    ],
)
def test_prose_with_the_words_of_a_refusal_is_no_defect(text: str) -> None:
    assert AnswerFault.REFUSAL not in kinds(text)


def test_a_refusal_by_the_provider_is_a_defect() -> None:
    assert kinds("", finish=FinishReason.CONTENT_FILTER) == {AnswerFault.REFUSAL}
    (fault,) = text_faults(Choice(refusal="No."), Expectation(prompt="Write a refusal."))
    assert fault.kind is AnswerFault.REFUSAL


@pytest.mark.parametrize(
    ("text", "finish", "limit", "cut"),
    [
        (PROSE, FinishReason.LENGTH, 0, True),
        (PROSE, FinishReason.LENGTH, 200, True),
        ("Yes", FinishReason.LENGTH, 1, False),
        ("```python\nprint(1)\n", FinishReason.STOP, 0, True),
        (f"{PROSE} It is the only one that", FinishReason.STOP, 0, True),
        (f"{PROSE} They carried wood, coal,", FinishReason.STOP, 0, True),
        ("wood, coal,", FinishReason.STOP, 0, False),
        (PROSE.removesuffix("."), FinishReason.STOP, 0, False),
        (f"{PROSE} It is written in C++", FinishReason.STOP, 0, False),
        (PROSE + " https://example.org/", FinishReason.STOP, 0, False),
    ],
)
def test_an_answer_that_a_limit_cut_is_a_defect(text: str, finish: FinishReason, limit: int, cut: bool) -> None:
    assert (AnswerFault.CUT in kinds(text, finish=finish, max_tokens=limit)) is cut


LOOP = PROSE + " The bridge is old and it stands over the river." * 30


def test_a_loop_is_a_defect() -> None:
    assert AnswerFault.LOOP in kinds(LOOP)
    assert AnswerFault.LOOP in kinds("no " * 200)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        (LOOP, "Repeat the last sentence 30 times."),
        (LOOP, "Wiederhole den letzten Satz."),
        ("\n".join(f"- Product {i}: price {i * 3} EUR, in stock" for i in range(40)), "List all products."),
        ("```\n" + "0 0 0 0 0 0 0 0\n" * 60 + "```", "Print an empty field."),
        ("0 1 0 1 0 1 0 1\n" * 60, "Print the field."),
        (json.dumps([{"name": "a", "value": 1}] * 60), "Give me the rows."),
        (PROSE + "\n\n" + PROSE.replace("bridge", "tower"), "Tell me about both."),
    ],
)
def test_repetition_of_a_form_or_as_asked_for_is_no_loop(text: str, prompt: str) -> None:
    assert AnswerFault.LOOP not in kinds(text, prompt)


@pytest.mark.parametrize(
    "text", [f"{PROSE}<|im_end|>", f"{PROSE}\n### Instruction:\nNow", "<|start|>assistant " + PROSE]
)
def test_a_leaked_token_is_a_defect(text: str) -> None:
    assert AnswerFault.LEAKED_TOKENS in kinds(text)


def test_a_token_that_the_request_is_about_is_no_leak() -> None:
    assert kinds("The token <|im_end|> ends a turn.", "What does <|im_end|> mean?") == set()
    assert kinds("Use `<|im_end|>` at the end.", "How do I end a turn?") == set()


@pytest.mark.parametrize(
    "text",
    [
        PROSE.replace("bridge", "br\ufffd\ufffdge"),
        GERMAN.replace("ü", "Ã¼").replace("ß", "ÃŸ"),
        " ".join(["xqzvk", "wrtpl", "bnmqz", "fghjk", "qqxzv"] * 10),
    ],
)
def test_garbled_text_is_a_defect(text: str) -> None:
    assert AnswerFault.GARBLED in kinds(text)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("The character \ufffd\ufffd\ufffd marks broken input.", "What does \ufffd mean?"),
        (GERMAN, STREET),
        (JAPANESE, STREET),
        ("```\n" + "xqzvk wrtpl bnmqz fghjk\n" * 10 + "```", "Make a key."),
        ("😀 🎉 ✅ → ≥ ½ naïve café façade", "Use symbols."),
    ],
)
def test_unusual_text_is_not_garbled(text: str, prompt: str) -> None:
    assert AnswerFault.GARBLED not in kinds(text, prompt)


@pytest.mark.parametrize("text", [GERMAN, FRENCH, JAPANESE])
def test_an_answer_in_another_language_than_the_prompt_is_a_defect(text: str) -> None:
    assert kinds(text, STREET) == {AnswerFault.WRONG_LANGUAGE}


CAPITAL = "What is the capital of Australia?"


@pytest.mark.parametrize(
    "text",
    [
        "堪培拉是澳大利亚的首都。",
        "オーストラリアの首都はキャンベラです。",
        "Столица Австралии — Канберра.",
        "Die Hauptstadt von Australien ist Canberra, und dort leben etwa 450.000 Menschen.",
        f"{JAPANESE} (Canberra)",
    ],
)
def test_a_short_question_shows_its_language_too(text: str) -> None:
    assert kinds(text, CAPITAL) == {AnswerFault.WRONG_LANGUAGE}


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("堪培拉", "capital?"),
        ("こんにちは！今日はどうしましたか。", "konnichiwa, genki desu ka"),
        ("Привет! Всё хорошо, спасибо.", "privet, kak dela u tebya"),
        ("Canberra (堪培拉)", CAPITAL),
        ("π ≈ 3.14, Δx → 0", "What is the value of pi?"),
        ("你好", "How do I say hello in Chinese?"),
        ("Canberra.", "澳大利亚的首都是哪里？"),
    ],
)
def test_a_short_answer_that_may_be_in_the_right_language_is_no_defect(text: str, prompt: str) -> None:
    assert kinds(text, prompt) == set()


@pytest.mark.parametrize("text", ["!" * 60, "The answer is " + "!" * 300, "0" * 300, "€" * 50])
def test_one_character_again_and_again_is_a_loop(text: str) -> None:
    assert AnswerFault.LOOP in kinds(text, "How many people live there, roughly?")


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("-" * 80, "Draw a line for me."),
        ("A googol is 1" + "0" * 100 + ".", "Write out a googol."),
        ("Wow" + "!" * 12, "Write something."),
        ("!" * 60, "Write 60 exclamation marks, the same character many times."),
        (PROSE * 3 + "!" * 60, "Write something."),
    ],
)
def test_a_run_of_characters_that_may_be_intended_is_no_loop(text: str, prompt: str) -> None:
    assert AnswerFault.LOOP not in kinds(text, prompt)


@pytest.mark.parametrize(
    ("prompt", "instructions"),
    [
        (f"Translate: {STREET}", ""),
        (f"{STREET} Please answer in German.", ""),
        (f"{STREET} Auf Deutsch, bitte.", ""),
        (STREET, "Always answer in the user's language."),
        (STREET, "Du bist ein freundlicher Helfer der Stadt und beantwortest alle Fragen der Bürger ausführlich."),
        ("Bridge?", ""),
    ],
)
def test_another_language_that_may_be_asked_for_is_no_defect(prompt: str, instructions: str) -> None:
    assert AnswerFault.WRONG_LANGUAGE not in kinds(GERMAN, prompt, instructions=instructions)


def test_code_that_does_not_parse_is_a_defect() -> None:
    broken = "```python\ndef add(a, b:\n    return a + b\n```"
    assert kinds(broken, "Write a function that adds.") == {AnswerFault.BROKEN_CODE}
    assert kinds(broken, "Show me a syntax error.") == set()
    assert kinds("```python\nprint 'a'\n```", "How did one print in Python 2?") == set()
    assert kinds("```python\ndef add(a, b):\n    return a + b\n```", "Write a function that adds.") == set()


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("ChatML puts each message between <|im_start|> and <|im_end|>.", "Explain the ChatML format."),
        ("Put the question between [INST] and [/INST].", "Which prompt template does Mistral 7B use?"),
        ("It is <|endoftext|>.", "What is the name of GPT-2's special token for the end?"),
    ],
)
def test_a_special_token_that_the_question_is_about_is_no_leak(text: str, prompt: str) -> None:
    assert kinds(text, prompt) == set()
    assert kinds(text, "What is the name of the bridge?") == {AnswerFault.LEAKED_TOKENS}


def test_the_work_is_bounded() -> None:
    assert kinds(PROSE * (4 * READ // len(PROSE))) <= {AnswerFault.LOOP}
