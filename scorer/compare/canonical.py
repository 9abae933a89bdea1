"""The form in which two texts are compared: what a harmless rewrite changes is gone (quotes, markdown, a greeting).

Cost: 30 to 60 µs for 100 words.
"""

from __future__ import annotations

import re

QUOTES = str.maketrans({
    "‘": "'", "’": "'", "‚": "'", "‛": "'", "´": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "«": '"',
    "»": '"', "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "―": "-", "−": "-",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u200b": None, "\u200c": None, "\u2060": None, "\ufeff": None,
    "\u00ad": None, "…": "...", "•": "-", "▪": "-", "◦": "-", "●": "-", "‣": "-", "·": " ", "→": ">", "×": "x",
})  # fmt: skip

_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[ \t]*[\w+#.-]*[ \t]*$", re.MULTILINE)
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\((?:[^()\s]|\([^()\s]*\)){1,500}(?:\s+\"[^\"\n]*\")?\)")
_RULE = re.compile(r"^[ \t]*(?:[-*_=][ \t]*){3,}$", re.MULTILINE)
_TABLE_RULE = re.compile(r"^[ \t]*\|?(?:[ \t]*:?-{2,}:?[ \t]*\|)++[ \t:|-]*$", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*(?:[-*+>][ \t]+)+", re.MULTILINE)
_HTML = re.compile(r"</?(?:b|i|em|strong|u|p|br|hr|ul|ol|li|code|pre|h[1-6]|span|div)\s*/?>", re.IGNORECASE)
_MARKS = str.maketrans("", "", "*_#`~")
_SPACE = re.compile(r"\s+")

# Courtesies before and after an answer. Only whole opening or closing sentences, and only if something else is left.
_OPENING = re.compile(
    r"^(?:"
    r"(?:sure(?: thing)?|certainly|of course|absolutely|definitely|great question|good question|no problem"
    r"|happy to help|"
    r"hello|hi|hey|greetings|good (?:morning|afternoon|evening|day)|dear (?:user|customer|friend)"
    r"|thanks?(?: you)?|okay|ok|alright|right|"
    r"welcome|my pleasure|with pleasure|excellent question|glad (?:to help|you asked))\b[^.!?:\n]{0,80}[.!?:]+"
    r"|(?:sure|certainly|of course|absolutely|okay|ok|alright|hello|hi|hey)(?: there)?,\s*(?=[A-Z])"
    r"|(?:i'?d be|i would be|i'?m|i am)(?: more than)? (?:happy|glad|delighted|pleased) to [^.!?:\n]{0,60}[.!?:]+"
    r"|(?:here(?:'s| is| are)|below (?:is|are)|the following (?:is|are)) (?:the |an? |your |my |some )?(?:\w+ ){0,4}"
    r"(?:answer|response|reply|answers|information|explanation|details|overview|what you asked(?: for)?"
    r"|you go)\b[^.!?:\n]{0,60}[.!?:]+"
    r"|(?:let me|allow me to) (?:help|explain|answer|assist|walk)[^.!?:\n]{0,60}[.!?:]+"
    r"|(?:that'?s|that is|what) an? (?:\w+ )?question[^.!?\n]{0,40}[.!?]+"
    r"|thank you for [^.!?\n]{0,80}[.!?]+"
    r"|(?:answer|response|reply|assistant):"
    r")\s*",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:^|(?<=[.!?:;)\]\"'\w]))\s+(?:"
    r"(?:i )?hope (?:this|that|it|these)\b[^.!?\n]{0,80}[.!?]+"
    r"|(?:please )?(?:let me know|feel free|don'?t hesitate|do not hesitate|just (?:let me know"
    r"|ask))\b[^.!?\n]{0,160}[.!?]+"
    r"|if you (?:have|need|want|would like|'?d like|require|still)\b[^.!?\n]{0,160}\b(?:ask|let me know|help"
    r"|assist|reach out|here)\b[^.!?\n]{0,80}[.!?]+"
    r"|[^.!?\n]{0,80}\b(?:would you like|do you (?:want|need)|can i help|may i help|shall i"
    r"|should i)\b[^.!?\n]{0,100}\?"
    r"|(?:is|was) there anything else[^.!?\n]{0,80}[.!?]+"
    r"|(?:happy to help|glad to help|you'?re welcome|thanks? for (?:asking|reading)|thank you for (?:asking"
    r"|reading))[^.!?\n]{0,60}[.!?]+"
    r"|(?:good luck|have a (?:great|nice|good|wonderful|lovely) (?:day|one|evening|week(?:end)?)|enjoy|cheers"
    r"|best regards|kind regards|take care)"
    r"[^.!?\n]{0,30}[.!]+"
    r"|i(?:'m| am) (?:always )?here (?:to help|if you)[^.!?\n]{0,80}[.!?]+"
    r")\s*$",
    re.IGNORECASE,
)


_CLOSING_REACH = 320
# A courtesy that holds a number or a name says something, and stays.
_TELLS = re.compile(r"\d|[a-z,] +(?!I\b)[A-Z][a-z]")


MAX_CHARS = 200_000  # of an answer are compared; what the patterns here cost stays bounded
_GAP = re.compile(r"[ \t]{2,}")  # first, so that no later pattern tries to split a long run of blanks in two
_WRONG_APOSTROPHE = re.compile(r'(?<=[a-z])"(?=(?:t|s|re|ll|ve|d|m)\b)')


def plain(text: str) -> str:
    """Typography and markdown gone, line breaks kept; courtesies still there."""
    text = _GAP.sub(" ", text[:MAX_CHARS].translate(QUOTES))
    text = _WRONG_APOSTROPHE.sub("'", text)
    text = _FENCE.sub("", text)
    text = _LINK.sub(r"\1", text)
    text = _TABLE_RULE.sub("", _RULE.sub("", text))
    text = _BULLET.sub("", _HTML.sub(" ", text))
    return text.translate(_MARKS).replace("|", " ")


def canonical(text: str) -> str:
    """``plain`` without courtesies, on one line. Equal results need neither embedding nor signals."""
    return _SPACE.sub(" ", strip_courtesies(plain(text))).strip()


def strip_courtesies(text: str) -> str:
    """Without opening and closing courtesies, unless they are all there is."""
    body = text.strip()
    for _ in range(3):
        match = _OPENING.match(body)
        if match is None or _TELLS.search(match[0]) or match.end() == len(body):
            break
        body = body[match.end() :].lstrip()
    for _ in range(3):
        match = _CLOSING.search(body, max(0, len(body) - _CLOSING_REACH))
        if match is None or _TELLS.search(match[0]) or match.start() == 0:
            break
        body = body[: match.start()].rstrip()
    return body
