"""Find special tokens and parts of chat templates that a model leaked into its answer.

The patterns cover the common model families. A text that is *about* tokens is not a leak. Therefore tokens in code,
``<s>`` as HTML for struck-out text, template languages and dialogues are ignored. Cost: 10 µs for 100 words. Every
pattern takes linear time, because each repetition in it is bounded or possessive.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.defects.defect import NO_DEFECT, Defect
from scorer.scoring.compare.result import excerpt
from scorer.scoring.compare.text.markdown_blocks import prose_around
from scorer.scoring.compare.text.parsed_document import Document

_TOKENS = re.compile(
    r"<\|[^|<>\n]{1,40}\|>"  # Llama 3, Qwen, Phi, Command R, gpt-oss, Granite, Falcon, GLM
    r"|<｜[^｜\n]{1,40}｜>"  # DeepSeek
    r"|<(?:start|end)_of_(?:turn|text|utterance|image)>|<unused\d{1,4}>|<(?:unk|pad|bos|eos|sep|cls|sop|eop|eo[hasm])>"
    r"|\[/?INST\]|<</?SYS>>"
    r"|\[/?(?:TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT|TOOL_CONTENT|THINK|ARGS|CALL_ID|gMASK)\]"  # Mistral
    r"|\[UNUSED_TOKEN_\d{1,4}\]|\[(?:PAD|UNK|CLS|SEP|MASK|BOS|EOS)\]"
    r"|</?(?:think|thinking|thought|tool_call|tool_calls|tool_response|function_call|function_calls|assistant|system"
    r"|user)>|<function=[\w.-]{1,80}>|◁/?think▷"
    r"|<extra_id_\d{1,3}>|<0x[0-9A-F]{2}>|<(?:im_start|im_end|endoftext|eot_id)>"
    r"|\b(?:im_start|im_end|endoftext|eot_id|start_header_id|end_header_id|END_OF_TURN_TOKEN)\b"
    r"|✿(?:FUNCTION|ARGS|RESULT|RETURN)✿|>>(?:QUESTION|ANSWER|INTRODUCTION)<<"
    r"|\bassistant(?:final|analysis|commentary)(?=[A-Z\s]|$)|\bto=functions\.\w"  # gpt-oss without its special tokens
    r"|\A\s*+analysis(?:(?=[A-Z])| (?=(?:The user|User|We (?:need|have|are|must|should)|I need|Need to|Let's)\b))"
    r"|(?<=[a-z.,;:!?)])[ĠĊ](?=\w|\Z)|▁(?=\w)"  # byte-level and SentencePiece spellings of a space
    r"|\{\{-?[ ]?(?:\.(?:Prompt|System|Response|Messages|Content|Role)|bos_token|eos_token|message\[|messages?[ |.\[]"
    r"|add_generation_prompt|raise_exception|system_(?:prompt|message))[^{}\n]{0,60}\}\}"
    r"|\{%-?[ ]?(?:for message in|if (?:messages|message|add_generation_prompt|not add_generation_prompt))"
)
# A text without any of these has no match of _TOKENS.
_IN_TOKENS = (
    "<", "[", "{", "▁", "✿", "◁", "Ġ", "Ċ", ">>", "im_", "_id", "endoftext", "END_OF_TURN", "assistant", "to=functions",
    "analysis",
)  # fmt: skip
_LINES = re.compile(
    r"^[ \t]{0,8}#{2,3} ?(?:Response|Instruction|Input|Human|Assistant|User|System|End) ?:"
    r"|^(?:assistant|user|system)[ \t]{0,8}$",
    re.MULTILINE,
)
_IN_LINES = ("##", "assistant", "user", "system")
_ROLES = ("USER: ", "HUMAN: ", "ASSISTANT: ", "SYSTEM: ", "Human: ", "User: ", "Assistant: ", "System: ")
_ROLE = re.compile(f"^(?:{'|'.join(_ROLES)})", re.MULTILINE)
_SPEAKER = re.compile(r"^[*_>]{0,3}[A-Z][\w .]{0,24}:[*_]{0,3} ", re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]{1,200}`")
_STRIKE = re.compile(r"<(/?)s>")
_DIALOGUE = 3  # a text is a dialogue if at least this many of its lines begin with a speaker's name


def leaked_tokens(document: Document) -> Defect:
    """Return a defect of severity 1.0 if the text contains a special token or a part of a chat template.

    Return NO_DEFECT for any other text.
    """
    text = _without_closed_code(document)
    if "`" in text:
        text = _INLINE_CODE.sub(" ", text)
    # It is far cheaper to look for a few strings first.
    tokens = _TOKENS.search(text) if any(mark in text for mark in _IN_TOKENS) else None
    lines = _LINES.search(text) if any(mark in text for mark in _IN_LINES) else None
    match = tokens or lines or _sentence_token(text) or _next_turn(text)
    if match is None:
        return NO_DEFECT
    return Defect(1.0, excerpt(text[max(0, match.start() - 15) : match.end() + 15]))


def _without_closed_code(document: Document) -> str:
    """Return the text without its code blocks. A block that is never closed stays: a leak may have opened it."""
    return "\n".join(prose_around(document.text, [block for block in document.code_blocks if block.closed]))


def _sentence_token(text: str) -> re.Match[str] | None:
    """Find a token ``<s>`` or ``</s>``, with which Llama and Mistral mark the beginning and the end of an answer.

    A pair of ``<s>`` and ``</s>`` inside the text is HTML and is ignored. Return None if there is no token.
    """
    marks = list(_STRIKE.finditer(text)) if "s>" in text else []
    if not marks:
        return None
    first, last = marks[0], marks[-1]
    before, after = text[: first.start()].strip(), text[last.end() :].strip()
    if first[1] or (not last[1] and not after):
        return first if first[1] else last  # an end without a beginning, or a beginning at the end
    return first if not before and (len(marks) == 1 or not after) else None


def _next_turn(text: str) -> re.Match[str] | None:
    """Find a line that begins another turn of the conversation ("User: ").

    Return None if there is none, or if the text itself is a dialogue.
    """
    for match in _ROLE.finditer(text) if any(role in text for role in _ROLES) else ():
        before = text[max(0, match.start() - 400) : match.start()].rstrip()
        line = before.rpartition("\n")[2]
        if line.endswith(":") or _SPEAKER.match(line):
            return None
        if before or len(_SPEAKER.findall(text)) < _DIALOGUE:
            return match
        return None
    return None
