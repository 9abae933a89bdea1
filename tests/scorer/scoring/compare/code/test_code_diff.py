"""Code that stands in two answers: what makes it another program, and what is another way to write the same one."""

from __future__ import annotations

import pytest

from glidepath.config.comparison import ScoringSection
from scorer.scoring.compare.code.code_diff import compare_code
from scorer.scoring.compare.result import Comparison
from scorer.scoring.compare.similarity.embedding_similarity import Similarity
from scorer.scoring.compare.tasks.free_text import compare_text
from scorer.scoring.compare.text.document import Document

BEFORE = "The plan was made in the spring and nobody has touched it."
AFTER = "More about that is written in the second report of the office."


def compared(left: str, right: str) -> Comparison:
    a, b = (Document(f"{BEFORE}\n\n{code}\n\n{AFTER}") for code in (left, right))
    return compare_text(a, b, ScoringSection(), Similarity(0.99, 0.99))


def fenced(language: str, code: str) -> str:
    return f"```{language}\n{code}\n```"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ls -r", "ls -R"), ("curl -v", "curl -V"), ("-v", "-V"), ("x.Foo", "x.foo"), ("userId", "UserID"),
        ("grep -e '$HOME'", 'grep -e "$HOME"'),
    ],
)  # fmt: skip
def test_inline_code_that_says_something_else_is_flagged(left: str, right: str) -> None:
    result = compared(f"Type `{left}` there.", f"Type `{right}` there.")
    assert "code" in result.flags
    assert result.agreement < 0.6


@pytest.mark.parametrize(("left", "right"), [("SELECT a FROM t", "select a from t"), ("TRUE", "true")])
def test_the_case_of_a_keyword_in_inline_code_says_nothing(left: str, right: str) -> None:
    assert compared(f"Type `{left}` there.", f"Type `{right}` there.").flags == ()


@pytest.mark.parametrize(
    ("language", "left", "right"),
    [
        ("bash", 'for d in *; do rm "$d"; done', "for d in *; do rm '$d'; done"),
        ("sh", 'echo "`date`"', "echo '`date`'"),
        ("perl", 'print "$x";', "print '$x';"),
        ("js", "const s = `Hi ${name}`;", "const s = 'Hi ${name}';"),
        ("ts", "const s = `Hi ${name}`;", 'const s = "Hi ${name}";'),
        ("bash", "cd build; make", "cd build make"),
        ("bash", "cd build\nmake", "cd build make"),
        ("sql", "UPDATE t SET price = 5 WHERE sku = 'AB-1'", "UPDATE t SET price = 5 WHERE sku = 'ab-1'"),
    ],
)
def test_quotes_ends_and_literals_that_mean_something_are_flagged(language: str, left: str, right: str) -> None:
    result = compared(fenced(language, left), fenced(language, right))
    assert "code" in result.flags
    assert result.agreement < 0.6


@pytest.mark.parametrize(
    ("language", "left", "right"),
    [
        ("bash", "systemctl stop db\nrm -rf /var/db\nls /var", "rm -rf /var/db\nsystemctl stop db\nls /var"),
        ("bash", "tar czf b.tgz db\nrm -r db", "rm -r db\ntar czf b.tgz db"),
        (
            "dockerfile",
            "FROM node:18\nCOPY package.json .\nRUN npm ci",
            "FROM node:18\nRUN npm ci\nCOPY package.json .",
        ),
        ("python", "items = load()\nitems.sort()\nsave(items)", "items = load()\nsave(items)\nitems.sort()"),
        ("js", "await open();\nconst a = read();\nclose();", "const a = read();\nawait open();\nclose();"),
        ("python", "from a import *\nfrom b import *\nf()", "from b import *\nfrom a import *\nf()"),
        ("js", "import './a.css';\nimport './b.css';\nf()", "import './b.css';\nimport './a.css';\nf()"),
        ("", "git add .\ngit commit -m x\ngit push", "git push\ngit add .\ngit commit -m x"),
    ],
)
def test_a_statement_in_another_place_is_flagged(language: str, left: str, right: str) -> None:
    result = compared(fenced(language, left), fenced(language, right))
    assert "code" in result.flags
    assert result.agreement < 0.6


HINTS = [
    ("def f(a: int):\n    return a", "def f(a: str):\n    return a"),
    ("@app.get('/')\ndef f(a: int):\n    return a", "@app.get('/')\ndef f(a):\n    return a"),
    ("class A:\n    x: int = 1", "class A:\n    x = 1"),
    ("def f(a):\n    return a", 'def f(a):\n    """Same."""\n    return -a'),
]


@pytest.mark.parametrize(("left", "right"), HINTS)
def test_a_hint_that_is_another_or_does_something_is_a_difference(left: str, right: str) -> None:
    assert compare_code(fenced("python", left), fenced("python", right)).divergence > 0


@pytest.mark.parametrize(
    ("language", "left", "right"),
    [
        ("bash", "echo 'done'", 'echo "done"'),
        ("bash", "cd build; make", "cd build\nmake"),
        ("bash", "if [ -f a ]; then\n  rm a\nfi", "if [ -f a ]\nthen\n  rm a;\nfi"),
        ("bash", "docker run \\\n  -it app", "docker run -it app"),
        ("sql", "SELECT a FROM t WHERE b = 'X'", "select a from t where b = 'X'"),
        ("js", "const s = `Hi`;\nlog(s)", "const s = 'Hi'\nlog(s)"),
        ("python", "def f(a, b):\n    return a + b", "def f(a: int, b: int) -> int:\n    return a + b"),
        (
            "python",
            "def f(a):\n    return a",
            'def f(a):\n    """Give back what came.\n\n    At once."""\n    return a',
        ),
        ("python", "import os\nimport sys\nos.x(sys)", "import sys\nimport os\nos.x(sys)"),
        ("python", "x = 1000000\nf(x)", "x = 1_000_000  # a million\nf(x)"),
        ("ts", "import a from 'a';\nimport { b } from 'b';\na(b)", "import { b } from 'b';\nimport a from 'a';\na(b)"),
        ("java", "import a.B;\nimport a.C;\nB.go(C.x);", "import a.C;\nimport a.B;\nB.go(C.x);"),
        ("js", "xs.map(u => u.age)", "xs.map((u) => u.age)"),
        ("js", "/* all ages */ xs.map(f) // once", "xs.map(f)"),
        ("sql", "SELECT a FROM t LEFT OUTER JOIN u ON a = b", "SELECT a FROM t LEFT JOIN u ON a = b"),
        ("sql", "SELECT a FROM t INNER JOIN u ON a <> b", "SELECT a FROM t JOIN u ON a != b"),
        ("bash", "$ cd build\n$ make", "cd build\nmake"),
        ("js", 'get("https://a.test/x") // first', 'get("https://a.test/x")'),
    ],
)
def test_the_same_program_in_another_spelling_is_the_same(language: str, left: str, right: str) -> None:
    difference = compare_code(fenced(language, left), fenced(language, right))
    assert (difference.divergence, difference.cosmetic) == (0.0, True)
    assert compared(fenced(language, left), fenced(language, right)).flags == ()
