"""Code blocks that cannot be parsed."""

from __future__ import annotations

from scorer.scoring.compare.code.broken_code import broken_code
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.text.parsed_document import Document
from tests.support.comparison_cases import compare_texts


def test_a_code_block_is_parsed_by_the_grammar_of_its_language() -> None:
    assert broken_code(Document("```json\n{'a': 1}\n```")).severity == 1.0
    assert broken_code(Document("```js\nfunction f() { return (1; }\n```")).severity == 1.0
    assert broken_code(Document("```js\nconst s = '}';  // {\n```")).severity == 0.0
    assert broken_code(Document("```\nanything goes (\n```")).severity == 0.0
    assert broken_code(Document("```python\n>>> 1 +\n```")).severity == 0.0
    assert broken_code(Document("```python\n    if x:\n        return 1\n```")).severity == 0.0
    assert broken_code(Document("```python\n    if x:\n    return 1\n```")).severity == 1.0


def test_broken_code_is_a_flag() -> None:
    code = "Use this:\n\n```python\ndef add(a, b):\n    return a + b\n```\nIt adds two numbers."
    assert "code" in compare_texts(code, code.replace("(a, b):", "(a, b:"), Similarity(0.99, 0.98)).flags
