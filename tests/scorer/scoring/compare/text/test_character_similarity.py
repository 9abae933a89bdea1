"""Scripts that the embedding model cannot read: no cosine, no confident score, the same text still the same."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import EvaluatorSection, ScoringSection
from glidepath.config.processes import EmbedderSection
from scorer.scoring.answers import Choice, Expectation, Extracted, Surface
from scorer.scoring.compare import Comparison, compare, texts_to_embed
from scorer.scoring.compare.evaluator.questions import in_doubt
from scorer.scoring.compare.similarity.character_similarity import character_similarity
from scorer.scoring.embed import Embedder, embed_texts, load_embedder

SETTINGS = ScoringSection()

# language: (an answer, the same in other words, something else)
TEXTS = {
    "Russian": (
        "Музей открывается в 9 и закрывается в 18. Билеты стоят 12 евро. Посетителям нельзя фотографировать.",
        "Вход стоит 12 евро, музей можно посетить с 9 до 18. Фотографировать запрещено.",
        "Яблоки содержат много витаминов. Есть по одному каждый день полезно для здоровья.",
    ),
    "Greek": (
        "Το μουσείο ανοίγει στις 9 και κλείνει στις 18. Τα εισιτήρια κοστίζουν 12 ευρώ.",
        "Η είσοδος κοστίζει 12 ευρώ και το μουσείο είναι ανοιχτό από τις 9 έως τις 18.",
        "Τα μήλα περιέχουν πολλές βιταμίνες. Ένα κάθε μέρα κάνει καλό στην υγεία.",
    ),
    "Arabic": (
        "يفتح المتحف في الساعة 9 ويغلق في الساعة 18. ثمن التذكرة 12 يورو. لا يسمح للزوار بالتصوير.",
        "الدخول بـ 12 يورو ويمكن زيارة المتحف من 9 إلى 18. التصوير ممنوع.",
        "يحتوي التفاح على فيتامينات كثيرة. تناول تفاحة كل يوم مفيد للصحة.",
    ),
    "Hebrew": (
        "המוזיאון נפתח בשעה 9 ונסגר בשעה 18. כרטיס עולה 12 אירו. אסור למבקרים לצלם.",
        "הכניסה עולה 12 אירו ואפשר לבקר במוזיאון בין 9 ל-18. הצילום אסור.",
        "תפוחים מכילים ויטמינים רבים. אכילת תפוח אחד ביום טובה לבריאות.",
    ),
    "Hindi": (
        "संग्रहालय 9 बजे खुलता है और 18 बजे बंद होता है। टिकट 12 यूरो का है।",
        "प्रवेश 12 यूरो का है और संग्रहालय 9 से 18 बजे तक देखा जा सकता है।",
        "सेब में बहुत विटामिन होते हैं। हर दिन एक खाना सेहत के लिए अच्छा है।",
    ),
    "Thai": (
        "พิพิธภัณฑ์เปิดเวลา 9 นาฬิกา และปิดเวลา 18 นาฬิกา ตั๋วราคา 12 ยูโร ผู้เข้าชมห้ามถ่ายรูป",
        "ค่าเข้า 12 ยูโร เข้าชมพิพิธภัณฑ์ได้ตั้งแต่ 9 ถึง 18 นาฬิกา ห้ามถ่ายภาพ",
        "แอปเปิลมีวิตามินมาก กินวันละลูกดีต่อสุขภาพ",
    ),
    "Chinese": (
        "博物馆9点开门，18点关门。门票12欧元。参观者不能拍照。",
        "门票价格为12欧元，博物馆9点到18点可以参观。禁止拍照。",
        "苹果含有丰富的维生素。每天吃一个苹果对健康有好处，但是不要吃太多。",
    ),
    "Japanese": (
        "博物館は9時に開き、18時に閉まります。入場券は12ユーロです。来館者は写真を撮れません。",
        "入場料は12ユーロで、博物館は9時から18時まで見学できます。写真撮影は禁止です。",
        "りんごにはビタミンが多く含まれています。毎日一つ食べると健康に良いです。",
    ),
    "Korean": (
        "박물관은 9시에 열고 18시에 닫습니다. 입장권은 12유로입니다. 방문객은 사진을 찍을 수 없습니다.",
        "입장료는 12유로이고 박물관은 9시부터 18시까지 관람할 수 있습니다. 사진 촬영은 금지입니다.",
        "사과에는 비타민이 많습니다. 매일 하나씩 먹으면 건강에 좋습니다.",
    ),
    "Amharic": (
        "ሙዚየሙ በ9 ሰዓት ይከፈታል በ18 ሰዓት ይዘጋል። ትኬቱ 12 ዩሮ ነው። ጎብኚዎች ፎቶ ማንሳት አይችሉም።",
        "መግቢያው 12 ዩሮ ሲሆን ሙዚየሙን ከ9 እስከ 18 ሰዓት መጎብኘት ይቻላል። ፎቶ ማንሳት ክልክል ነው።",
        "ፖም ብዙ ቫይታሚን አለው። በየቀኑ አንድ መብላት ለጤና ጥሩ ነው።",
    ),
}


@pytest.fixture(scope="module")
def engine() -> Embedder:
    return load_embedder(EmbedderSection())


def compared(engine: Embedder, left: str, right: str) -> Comparison:
    sides = [Extracted(Surface.OPENAI_CHAT, (Choice(text),)) for text in (left, right)]
    texts = texts_to_embed("chat", Expectation(), *sides)
    vectors = dict(zip(texts, embed_texts(engine, texts), strict=True))
    result = compare("chat", SETTINGS, Expectation(), *sides, vectors)
    assert isinstance(result, Comparison)
    return result


@pytest.mark.parametrize("language", TEXTS)
def test_an_unread_script_never_gets_a_confident_score(language: str, engine: Embedder) -> None:
    said, otherwise, unrelated = TEXTS[language]
    apart = compared(engine, said, unrelated)
    assert apart.agreement < 0.2
    assert "unknown_script" in apart.flags
    assert "cosine" not in apart.signals
    assert "does not know this script" in apart.details["unknown_script"]
    other_words = compared(engine, said, otherwise)
    assert apart.agreement < other_words.agreement < 0.6
    assert "unknown_script" in other_words.flags
    assert "meaning" not in other_words.flags  # that is not known


@pytest.mark.parametrize("language", TEXTS)
def test_the_same_text_in_an_unread_script_is_the_same(language: str, engine: Embedder) -> None:
    said = TEXTS[language][0]
    assert compared(engine, said, said).agreement == 1.0
    assert compared(engine, said, f"**{said}**\n").agreement == 1.0
    near = compared(engine, said, said.rstrip(".。።").replace(". ", ".\n") + " ")
    assert near.agreement > 0.95
    assert near.flags == ()


@pytest.mark.parametrize("other", [1, 2])
def test_a_script_that_is_read_on_one_side_only_counts_against_the_pair(other: int, engine: Embedder) -> None:
    english = "The museum opens at 9 and closes at 18. Tickets cost 12 euros. Photographs are forbidden."
    assert compared(engine, english, TEXTS["Thai"][other]).agreement < 0.1


def test_words_that_are_one_unknown_piece_to_the_model_are_compared_by_their_characters(engine: Embedder) -> None:
    one, other = ("".join(f"{(i * i * step + 7) % 9973:04x}" for i in range(60)) for step in (31, 57))
    assert compared(engine, one, other).agreement < 0.3
    assert "unknown_script" in compared(engine, one, other).flags


def test_an_evaluator_is_asked_about_what_the_model_cannot_read(engine: Embedder) -> None:
    evaluator = EvaluatorSection(url="http://127.0.0.1:1", model="judge")
    said, otherwise, _ = TEXTS["Arabic"]
    assert in_doubt(compared(engine, said, otherwise), evaluator)
    assert not in_doubt(compared(engine, said, said), evaluator)


def test_shared_characters_are_counted_without_blanks_and_punctuation() -> None:
    assert character_similarity("это, да", "это да").score == 1.0
    assert character_similarity("", "да").score == 0.0
    assert character_similarity("да", "нет").score == character_similarity("нет", "да").score == 0.0
