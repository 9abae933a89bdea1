"""Split a program into lexemes for comparison. A lexeme is a word, a string, a number or a sign of the program.

Comments and spaces are left out, and all strings have the same kind of quotes.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.vocabulary.lexicon import CODE_LABELS, words

_HASH = words("python py python3 bash sh shell zsh console yaml yml toml ruby r perl dockerfile makefile ini elixir")
_DASHES = frozenset({"sql", "lua", "haskell"})
_INDENTED = frozenset({"python", "py", "python3", "yaml", "yml"})
SHELLS = frozenset({"bash", "sh", "shell", "zsh", "console"})
_SCRIPTS = words("js javascript ts typescript jsx tsx")
_CASE_INSENSITIVE = frozenset({"sql", "html"})
_EXPANDING = SHELLS | {"perl", "php", "ruby", ""}  # languages in which only one kind of quotes expands variables
_VARIABLE = re.compile(r"[$`]|#\{")
_PLAIN_TEMPLATE = re.compile(r"`([^`$\n\\'\"]{0,300}+)`")
_STRING = r"'(?:\\.|[^'\\\n]){0,2000}'|\"(?:\\.|[^\"\\\n]){0,2000}\""
_SIGNS = (
    rf"\n[ \t]*|{_STRING}|\d[\w.]*|[^\W\d]\w*"
    r"|\*\*=?|//=?|==+|!==?|<=>|<=|>=|&&|\|\||->|=>|<>|\+\+|--|\+=|-=|\*=|/=|<<|>>|::|\.\.\.?|:=|\S"
)
_LEXEME = re.compile(_SIGNS)
_SLASHED = re.compile(r"//[^\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?|" + _SIGNS)
# A shell command continues on the next line after these.
_CONTINUES = frozenset({";", "&&", "||", "|", "&", "do", "then", "else", "{", "("})
_PROMPT = re.compile(r"^[ \t]*\$ ", re.MULTILINE)
_IMPORTS = {  # languages, and the import lines whose order does not matter in them
    _SCRIPTS: re.compile(r"import [^\n\"'`]{1,300} from [\"'][^\n\"']{1,200}[\"'];?"),
    words("java kotlin scala"): re.compile(r"import [\w.]{1,200}+;?"),
    frozenset({"csharp", "c#"}): re.compile(r"using [\w.]{1,200}+;"),
    words("rust rs php"): re.compile(r"use [\w:{}, \\]{1,300}+;"),
}
_OUTER = {(side, "outer", "join") for side in ("left", "right", "full")}
INDENT, DEDENT = "\x01", "\x02"


def lexemes(code: str, language: str) -> list[str]:
    """Return the words, strings, numbers and signs of a program, without its comments.

    If indentation matters in the language, INDENT and DEDENT mark where it changes.
    """
    indented = language in _INDENTED
    known = language in CODE_LABELS
    hashes, dashes = language in _HASH or not known, language in _DASHES
    slashes = known and not hashes and not dashes
    shell, quoted = language in SHELLS, language in _EXPANDING
    found: list[str] = []
    levels = [0]
    depth = skip = 0
    for match in (_SLASHED if slashes else _LEXEME).finditer("\n" + _prepared(code, language)):
        lexeme = match[0]
        if lexeme[0] == "\n":
            skip = 0
            if indented and not depth and not _blank(match, hashes):
                _indent(len(lexeme) - 1, levels, found)
            if shell and not depth:
                _end_command(found)
            continue
        if skip or (slashes and lexeme[:2] in ("//", "/*")):
            continue
        if (hashes and lexeme == "#") or (dashes and lexeme == "--"):
            skip = 1
            continue
        if not (shell and lexeme in "{}"):
            depth += (lexeme in "([{") - (lexeme in ")]}") if len(lexeme) == 1 else 0
        depth = max(depth, 0)
        if found and found[-1] == "," and lexeme in (")", "]", "}"):
            found.pop()  # a trailing comma changes nothing
        if lexeme[0] in "'\"" and len(lexeme) > 1:
            found.append(lexeme if quoted and _VARIABLE.search(lexeme) else '"' + lexeme[1:-1] + '"')
        else:
            lexeme = lexeme.replace("_", "") if lexeme[0].isdigit() else lexeme
            found.append(lexeme.lower() if language in _CASE_INSENSITIVE else lexeme)
            _simplify(found, language)
    if not shell:
        return [t for t in found if t != ";"]
    return found[:-1] if found[-1:] == [";"] else found


def _simplify(found: list[str], language: str) -> None:
    """Replace the last lexemes in ``found`` by an equivalent form, if there is one: ``(x) =>`` becomes ``x =>``."""
    if language in _SCRIPTS and found[-1] == "=>" and len(found) > 3 and found[-4] == "(" and found[-2] == ")":
        if found[-3].isidentifier():
            found[-4:] = [found[-3], "=>"]
    elif language != "sql":
        return
    elif found[-1] == "<>":
        found[-1] = "!="
    elif found[-2:] == ["inner", "join"] or tuple(found[-3:]) in _OUTER:
        del found[-2]


def _prepared(code: str, language: str) -> str:
    code = _imports_in_order(code, language).replace("\t", "    ")
    if language in SHELLS:
        return _PROMPT.sub("", code)
    return _PLAIN_TEMPLATE.sub(r'"\1"', code) if language in _SCRIPTS else code


def _imports_in_order(code: str, language: str) -> str:
    """Return the code with consecutive imports sorted, if their order does not matter in the language."""
    pattern = next((p for languages, p in _IMPORTS.items() if language in languages), None)
    if pattern is None:
        return code
    lines: list[str] = []
    run: list[str] = []
    for line in code.split("\n"):
        if pattern.fullmatch(line.rstrip()):
            run.append(line.rstrip())
            continue
        if line.strip() or not run:
            lines += [*sorted(run), line]
            run = []
    return "\n".join([*lines, *sorted(run)])


def _end_command(found: list[str]) -> None:
    """Append a semicolon to the lexemes of a line of shell code, unless the command continues on the next line."""
    if found and found[-1] == "\\":
        found.pop()
    elif found and found[-1] not in _CONTINUES:
        found.append(";")


def _blank(match: re.Match[str], hashes: bool) -> bool:
    rest = match.string[match.end() : match.end() + 1]
    return rest in ("", "\n") or (hashes and rest == "#")


def _indent(width: int, levels: list[int], found: list[str]) -> None:
    if width > levels[-1]:
        levels.append(width)
        found.append(INDENT)
    while width < levels[-1]:
        levels.pop()
        found.append(DEDENT)
