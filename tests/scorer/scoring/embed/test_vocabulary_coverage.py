"""The texts that the vocabulary of a model covers."""

from __future__ import annotations

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from glidepath.config.processes import EmbedderSection
from scorer.scoring.embed import Embedder, VectorCache, embed_texts, load_embedder
from scorer.scoring.embed.engine_protocol import VocabularyAwareEmbedder
from scorer.scoring.embed.vocabulary_coverage import VocabularyCoverage


@pytest.fixture(scope="module")
def minilm() -> Embedder:
    return load_embedder(EmbedderSection())


@pytest.mark.parametrize(
    "text",
    [
        "", "12 + 5 = 17", "Plain English.", "Die Straße ist schön.", "Żółta łódź", "Hà Nội là thủ đô của Việt Nam",
        "İstanbul'da küçük bir ağaç", "Það er þörf á æfingu", "Let α and β be angles of the triangle, with π/2 > α.",
        "Great 👍👍 🎉 — “quoted” …", "See https://example.com/" + "a/b-" * 60, "The Chinese word for cat is 猫 (māo).",
    ],
)  # fmt: skip
def test_an_english_vocabulary_covers_latin_letters(text: str, minilm: Embedder) -> None:
    assert isinstance(minilm, VocabularyAwareEmbedder)
    assert minilm.covers(text)


@pytest.mark.parametrize(
    "text",
    [
        "Москва — столица", "北京是中国的首都", "東京は日本の首都です", "서울은 수도이다", "กรุงเทพ", "القاهرة",
        "ירושלים", "दिल्ली", "Αθήνα", "አዲስ አበባ", "თბილისი", "Երևան", "தமிழ்", "QUJD" * 60, "deadbeef" * 20,
        "\ud800Москва",
    ],
)  # fmt: skip
def test_an_english_vocabulary_covers_no_other_script_and_no_very_long_word(text: str, minilm: Embedder) -> None:
    assert isinstance(minilm, VocabularyAwareEmbedder)
    assert not minilm.covers(text)


def test_an_uncovered_text_has_no_rows_and_is_cached(minilm: Embedder) -> None:
    cache = VectorCache()
    read, unread = embed_texts(minilm, ["A cat.", "Кошка."], cache)
    assert (read.shape, unread.shape) == ((1, 384), (0, 384))
    assert cache.rows == 2
    assert embed_texts(minilm, ["Кошка."], cache)[0].shape == (0, 384)
    assert cache.hits == 1


def vocabulary(*words: str) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(("[UNK]", *words))}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def test_a_vocabulary_covers_the_scripts_with_enough_tokens() -> None:
    syllables = [a + b for a in "бвгджзклмнпрстфхцчшщ" for b in "аеиоуыэюя"]
    ideographs = [chr(0x4E00 + i) for i in range(4000)]
    russian, chinese = VocabularyCoverage(vocabulary(*syllables, "ба")), VocabularyCoverage(vocabulary(*ideographs))
    assert (russian.covers("ба ва"), russian.covers("一 丁")) == (False, False)  # 180 pieces are too few
    more = VocabularyCoverage(vocabulary(*syllables, *(s + "й" for s in syllables)))
    assert more.covers("бай ва")
    assert not more.covers("ъыъ")  # its script, but an unknown piece
    assert chinese.covers("一 丁")
    assert not chinese.covers("ба")


def test_a_byte_level_vocabulary_covers_every_text() -> None:
    assert VocabularyCoverage(Tokenizer(models.BPE())).covers("Москва")
