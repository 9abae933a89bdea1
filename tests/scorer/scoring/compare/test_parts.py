"""The pieces under the chat comparison: canonical form, tokens, edits, faults."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorer.scoring.compare.alignment.word_alignment import align
from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.defects.garbled_text import garbled_text
from scorer.scoring.compare.defects.leaked_tokens import leaked_tokens
from scorer.scoring.compare.defects.refusals import refusal
from scorer.scoring.compare.defects.repeated_passages import repeated_passages
from scorer.scoring.compare.defects.unfinished_text import unfinished_text
from scorer.scoring.compare.signals import form_signals
from scorer.scoring.compare.text.canonical_text import canonical
from scorer.scoring.compare.text.document import Document
from scorer.scoring.compare.text.tokenizer import MAX_TOKENS, tokenize
from scorer.scoring.compare.vocabulary.word_relations import both_quantities, excludes, same_word


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("## Title\n\n* **one**\n* two", "Title one two"),
        ("See [the docs](https://x.test/a_(b)) now.", "See the docs now."),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a b 1 2"),
        ("“It’s” – fine…", '"It\'s" - fine...'),
        ("Sure! Here's the answer:\n\nIt is 5.\n\nHope this helps!", "It is 5."),
        ("Sure!", "Sure!"),
        ("Certainly! Here is a recipe for Bloody Mary:\nStir.", "Here is a recipe for Bloody Mary: Stir."),
    ],
)
def test_canonical_form(written: str, form: str) -> None:
    assert canonical(written) == form


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_canonical_form_and_tokens_never_raise(text: str) -> None:
    assert len(tokenize(canonical(text))) <= MAX_TOKENS


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1,234.50", "1234.5"), ("5.5 million", "5,500,000"), ("three", "3"), ("12%", "12 percent"),
        ("2020-3-4", "2020/03/04"),
        ("can't", "cannot"), ("it's", "it is"), ("$5", "$ 5"), ("5 km", "5 kilometres"), ("Jan", "January"),
    ],
)  # fmt: skip
def test_one_thing_in_two_forms_has_one_key(one: str, other: str) -> None:
    assert [t.key for t in tokenize(one)] == [t.key for t in tokenize(other)]


def test_numbers_that_differ_have_keys_that_differ() -> None:
    keys = [
        "".join(t.key for t in tokenize(f"at {n} units"))
        for n in ("5", "-5", "5.1", "50", "5 million", "5 billion", "05:30")
    ]
    assert len(set(keys)) == len(keys)


@given(
    st.lists(st.sampled_from(["a", "b", "c", "D", "1", "2", "not"]), max_size=20),
    st.lists(st.sampled_from(["a", "b", "c", "D", "1", "2", "not"]), max_size=20),
)
def test_likeness_is_bounded_and_symmetric(left: list[str], right: list[str]) -> None:
    a, b = tokenize(" ".join(left)), tokenize(" ".join(right))
    one, other = align(a, b).word_overlap, align(b, a).word_overlap
    assert 0.0 <= one <= 1.0
    assert one == other
    assert align(a, a).word_overlap == 1.0


def test_opposites_classes_and_spellings() -> None:
    assert excludes("more", "less")
    assert excludes("possible", "impossible")
    assert excludes("monday", "friday")
    assert not excludes("big", "large")
    assert both_quantities("million", "billion")
    assert both_quantities("percent", "pound")
    assert same_word("colour", "color")
    assert same_word("organised", "organized")
    assert not same_word("million", "billion")


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, but I can't assist with that request.",
        "I cannot provide information about this.",
        "As a large language model, I am not able to give legal advice.",
        "Unfortunately, I won't be able to answer this question.",
        "I must decline.",
        "Sorry, I can’t help with that. Is there anything else?",
        "I'm not able to discuss this topic.",
        "This request violates our content policy.",
        "It is against my guidelines to write that.",
        "It would be inappropriate for me to share this.",
        "I cannot provide an explanation of this topic as it violates our policies.",
        "I can't help with that, but I can suggest other topics.",
        "We cannot assist with this.",
        "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen.",
        "Je suis désolé, mais je ne peux pas répondre à cette demande.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "Desculpe, mas não posso ajudar com isso.",
        "Mi dispiace, ma non posso aiutarti.",
        "Het spijt me, maar daar kan ik je niet mee helpen.",
        "Przykro mi, ale nie mogę w tym pomóc.",
        "Извините, но я не могу помочь с этим.",
        "对不起，我无法回答这个问题。",
        "申し訳ありませんが、その質問にはお答えできません。",
        "죄송하지만 그 질문에는 답변할 수 없습니다.",
    ],
)
def test_a_refusal_is_recognised(said: str) -> None:
    assert refusal(Document(said)).severity == 1.0


@pytest.mark.parametrize(
    "said",
    [
        "The library cannot be used without a key. Install it first, then run the command twice.",
        "Sorry to hear that your cat is ill. Give her water and call the vet.",
        "You cannot help everyone, but you can help someone.",
        "This request violates the GDPR, so the company must reject it within a month.",
        "I cannot provide a definitive answer, but the capital was moved in 1960 to Brasilia.",
        "I can't give medical advice. However, ibuprofen is taken with food, up to three times a day.",
        "It is against the law to drive without a licence.",
        "That is beyond the river, about two miles from the old bridge.",
        "Unfortunately, we cannot give refunds after 30 days.",
        "The question is against which background the figure stands.",
        "Leider hat das Museum montags geschlossen. Karten gibt es nicht im Internet.",
        "Malheureusement, le musée est fermé le lundi.",
        "Lamentablemente el museo no abre los lunes.",
        "Hunde können nicht mitgenommen werden. Ich kann das Museum sehr empfehlen.",
        "К сожалению, музей закрыт по понедельникам.",
        "对不起这个词的英文是 sorry。",
        "博物馆周一不能参观。",
    ],
)
def test_an_answer_with_the_words_of_a_refusal_is_none(said: str) -> None:
    assert refusal(Document(said)).severity < 0.5


SAID = "The Nile flows north into the sea. It is about 6,650 kilometers long."


@pytest.mark.parametrize(
    "leak",
    [
        "<|im_end|>", "<|eot_id|>", "</s>", "<s>", "[/INST]", "<start_of_turn>model", "<｜end▁of▁sentence｜>",
        "\n\nHuman: hi", "\n\nUser: and then?\nAssistant: it ends", "[TOOL_CALLS]", '[TOOL_CALLS][{"name": "f"}]',
        "[/THINK]", "<|END_OF_TURN_TOKEN|>", "<end_of_turn>", "<unused94>", "<bos>", "<tool_call>", "</think>",
        "<|end|>", "<|assistant|>", "[UNUSED_TOKEN_145]", "<eoa>", "◁/think▷", "✿RESULT✿", "<function=search>",
        "<0x0A>", "<extra_id_0>", "\n### Response:\n", "\n### Human: hi", "assistantfinal The Nile", "ĊĠThe",
        "{{ .Prompt }}", "{% for message in messages %}", "{{ bos_token }}", "\nassistant\n", "to=functions.search",
    ],
)  # fmt: skip
def test_special_tokens_of_every_family_leak(leak: str) -> None:
    assert leaked_tokens(Document(SAID + leak)).severity == 1.0


@pytest.mark.parametrize(
    "begun",
    [
        "<s>", "<s> [INST] ", "<|im_start|>assistant\n", "assistant\n\n", "### Response:\n", "<think>\nThey ask.\n",
        "<think>The user wants a river.</think>", "analysisThe user asks about rivers.", "User: what?\nAssistant: ",
        "analysis The user asks about the Nile. assistantfinal ", "analysis We need to answer. ", "[THINK]a[/THINK]",
    ],
)  # fmt: skip
def test_a_template_before_the_answer_leaks(begun: str) -> None:
    assert leaked_tokens(Document(begun + SAID)).severity == 1.0


@pytest.mark.parametrize(
    "said",
    [
        "Use <div> and <span class='x'>, a < b and b > c, or [x](y).",
        "In HTML the <s> tag strikes text out, and <mask> is an SVG element.",
        "It was <s>20</s> 15 euros, now it is <s>15</s>",
        "<s>20</s> 15 euros today.",
        "Wrap it in <s> and </s> tags.",
        "Use {{ user.name }} in your Jinja template, or {% if user %} around it.",
        "Here is a dialogue:\nUser: Hello\nBot: Hi there, how are you?",
        "Here is one:\n\nTom: Hello\n\nUser: Hi",
        "User: Hello\nBot: Hi.\nUser: Bye.\nBot: Bye.",
        "ChatML ends a turn with `<|im_end|>`.",
        "```\n<|im_start|>user\nhi<|im_end|>\n```\nThat is ChatML.",
        "In-depth analysis The Hague style, and analysis of the user.",
        "Ġgantija is a temple on Gozo; Ħaġar Qim and Ġnejna are near.",
        "The assistant finally came; its final analysis is due.",
        "See the [ARGS section](x) and the [think] tank.",
    ],
)
def test_text_about_tokens_and_templates_is_no_leak(said: str) -> None:
    assert leaked_tokens(Document(said)).severity == 0.0


def test_loops_are_counted_in_words() -> None:
    assert repeated_passages(Document("one two three four five six seven eight nine ten")).count == 0
    assert repeated_passages(Document("go " * 20)).run == 19
    said = "The cat sat on the mat today. "
    assert repeated_passages(Document(said * 3)).count >= 14


def test_the_form_of_a_cut_text() -> None:
    assert unfinished_text(Document("This sentence has no end because the")).severity == 1.0
    assert unfinished_text(Document("Here:\n```python\nx = 1")).severity == 1.0
    assert unfinished_text(Document("It ends well.")).severity == 0.0
    assert unfinished_text(Document("- apples\n- pears")).severity == 0.0


NEXT_TO = Document("It opens at nine, and the tickets are sold at the door of the museum.")


def test_garbling_is_seen_and_plain_words_are_not_garbled() -> None:
    for broken in ("Ã©tÃ© â€™ naÃ¯ve franÃ§ais Ã©cole", "xqzk vjwq plmkz qqjh zzxk wvbq", "It op\ufffdns at nine."):
        assert garbled_text(NEXT_TO, Document(broken))[1].severity == 1.0
        assert garbled_text(Document(broken), NEXT_TO)[0].severity == 1.0
    fine = Document("Kubernetes schedules pods; OAuth2, IPv6 and PostgreSQL are fine, so is GitHub.")
    assert [side.severity for side in garbled_text(NEXT_TO, fine)] == [0.0, 0.0]


def test_one_strange_word_is_no_garbling() -> None:
    said = Document("The city has 450,000 people. Zweite Zeile größer.")
    assert [side.severity for side in garbled_text(said, NEXT_TO)] == [0.0, 0.0]


# Two ways to say the same in each language, with the letter pairs that English does not have.
TWICE = {
    "German": (
        "Die Stadt hat zwei Schulen. Die zweite Schule liegt zwischen Stadtpark und Marktplatz, jetzt mit Werkzeug.",
        "Es gibt in der Stadt zwei Schulen; eine davon, zuletzt umgebaut, steht hinter dem Rathaus am Flugzeugmuseum.",
    ),
    "Dutch": (
        "De belangrijkste wijk ligt vlakbij de rijksweg. Iedereen wordt uitgenodigd en krijgt de eerste maand gratis.",
        "Dichtbij de snelweg ligt de grootste wijk; wie zich inschrijft betaalt pas in de tweede maand, gelijk ieder.",
    ),
    "Polish": (
        "Muzeum jest otwarte od rana. Wszystkie bilety kosztuja dwanascie zlotych. Zwiedzajacy nie moga robic zdjec.",
        "Wstep dla wszystkich jest tani, a muzeum zwiedza sie przez caly dzien. Fotografowanie jest zabronione.",
    ),
    "French": (
        "Le livre est vraiment ouvert au public. Les objets du vestibule sont couverts, et on trouve du cuivre.",
        "On peut vraiment consulter cet ouvrage. Le vestibule et ses objets restent couverts de cuivre.",
    ),
    "Swedish": (
        "Det finns kvar tjugo kvinnor i byn, och hjulen byttes i fjol. Sjukhuset ligger vid fjorden.",
        "I byn bor tjugo kvinnor kvar; man bytte hjul i fjol, och vid fjorden finns ett sjukhus.",
    ),
    "Spanish": ("El objetivo se obtiene sin subjetividad.", "Con una opcion objetiva el reconocimiento se obtuvo."),
    "Italian": ("Le mozzarelle e le pizze sono pronte.", "Sono pronte sia la pizza che la mozzarella per cena."),
    "Portuguese": ("O objetivo do advogado era obvio.", "Era obvio o que o advogado queria como objetivo."),
}


@pytest.mark.parametrize("language", TWICE)
def test_no_language_is_garbling(language: str) -> None:
    left, right = (Document(text) for text in TWICE[language])
    alignment = align(left.tokens, right.tokens)
    assert form_signals.garbling(*garbled_text(left, right), alignment).effect < 0.3
    assert form_signals.garbling(*garbled_text(right, left), alignment).effect < 0.3


@pytest.mark.parametrize("language", ["German", "Dutch", "French", "Swedish"])
def test_shuffled_letters_are_garbling_in_every_language(language: str) -> None:
    text = TWICE[language][0]
    shuffled = " ".join("".join(sorted(word, key=lambda c: (ord(c) * 7919) % 101)) for word in text.split())
    left, right = Document(text), Document(shuffled)
    signal = form_signals.garbling(*garbled_text(left, right), align(left.tokens, right.tokens))
    assert signal.effect > 0.5
    assert not signal.baseline_at_fault


@pytest.mark.parametrize(
    ("british", "american"),
    [
        (
            "The licence defence depends on a catalogue dialogue, a modelled jewellery tyre, a sceptical judgement.",
            "The license defense depends on a catalog dialog, a modeled jewelry tire, a skeptical judgment.",
        ),
        (
            "The colour of the centre is organised, and we analyse the behaviour of aluminium fibres in the theatre.",
            "The color of the center is organized, and we analyze the behavior of aluminum fibers in the theater.",
        ),
    ],
)
def test_two_spellings_are_no_garbling(british: str, american: str) -> None:
    left, right = Document(british), Document(american)
    assert form_signals.garbling(*garbled_text(left, right), align(left.tokens, right.tokens)).effect == 0.0


def test_language_needs_enough_text_to_speak_up() -> None:
    english = "The weather is nice today and we will go to the lake in the afternoon."
    german = "Das Wetter ist heute schön und wir fahren am Nachmittag an den See."
    assert form_signals.language(english, german).divergence == 1.0
    assert form_signals.language(english, english + " Really.").divergence == 0.0
    assert form_signals.language("Oui", "Yes").divergence == 0.0
    assert form_signals.language(english, "今天天气很好，我们下午去湖边。").divergence == 1.0


def test_code_is_judged_by_its_own_grammar() -> None:
    assert broken_code("```json\n{'a': 1}\n```").severity == 1.0
    assert broken_code("```js\nfunction f() { return (1; }\n```").severity == 1.0
    assert broken_code("```js\nconst s = '}';  // {\n```").severity == 0.0
    assert broken_code("```\nanything goes (\n```").severity == 0.0
    assert broken_code("```python\n>>> 1 +\n```").severity == 0.0


@pytest.mark.parametrize(
    "text",
    [" " * 500_000, "*" * 200_000, "|-" * 50_000, "```\n" * 20_000, "{{" * 50_000, ")" * 100_000 + "x", "a'" * 50_000],
)
def test_no_text_makes_a_pattern_run_away(text: str) -> None:
    started = time.process_time()
    document = Document(text)
    assert len(document.tokens) <= MAX_TOKENS
    unfinished_text(document)
    leaked_tokens(document)
    broken_code(text)
    assert time.process_time() - started < 5
