"""Detect requests for what would be a fault otherwise: a refusal, a repetition, a language, a token, broken code.

The user's last message and the instructions are searched for words from lists in twelve languages. If a list had too
many words, faults would be missed. If it had too few words, there would be false alarms.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

_REFUSAL = re.compile(
    r"\brefus|declin|reject|turn\w{0,3} down|apolog|say no\b|ablehn|absag|entschuldig|verweiger|excus|disculp"
    r"|rechaz|desculp|rifiut|weiger|afwijz|odmow|odmów|przepr|отказ|извин|отклон|拒绝|拒絕|道歉|婉拒|断り|断る|謝罪|お詫び"
    r"|拒否|거절|사과|거부"
    r"|(?:say|reply|respond|answer|write|translat\w{0,3}|repeat|phrase|sentence|message|letter|e-?mail)[^.?!]{0,80}"
    r"(?:sorry|cannot|can't|unable|don't know|do not know)"
    r"|[\"“'«„][^\"”'»]{0,80}(?:sorry|cannot|can't|unable|leider|désolé|lo siento|spiacent|извини|抱歉"
    r"|对不起|申し訳|죄송)",
    re.IGNORECASE,
)
_ABSTENTION = re.compile(  # in instructions
    r"don't know|do not know|not know|(?:no|not enough|insufficient) information|out of scope|off[- ]topic"
    r"|only (?:answer|use|talk|help)|must not|never|do not (?:answer|discuss|give|provide)|nur |seulement|sólo|solo "
    r"|apenas|alleen|tylko|только|只能|仅|のみ|만 ",
    re.IGNORECASE,
)
_REPETITION = re.compile(
    r"repeat|repetit|\d times|many times|over and over|refrain|chorus|lyric|song|poem|mantra|copy|echo|verbatim"
    r"|wiederhol|\d ?mal\b|refrain|gedicht|répèt|répét|fois|repit|repet|veces|vezes|ripet|volte|herhaal|powtórz"
    r"|повтор|раз\b|重复|重複|遍|次|繰り返|回|반복|번",
    re.IGNORECASE,
)
_LANGUAGE = re.compile(
    r"translat|language|english|german|french|spanish|italian|portuguese|dutch|polish|russian|chinese|japanese|korean"
    r"|arabic|hindi|turkish|vietnamese|swedish|danish|norwegian|finnish|greek|hebrew|czech|ukrainian|latin"
    r"|übersetz|sprache|deutsch|englisch|französisch|spanisch|tradu|langue|anglais|français|allemand|espagnol|idioma"
    r"|inglés|español|francés|alemán|inglês|português|língua|lingua|inglese|italiano|vertaal|engels|nederlands|język"
    r"|przetłumacz|angielsk|polsk|перев[еоё]|язык|английск|русск|翻译|翻譯|译成|英文|中文|语|語|翻訳|번역|영어|한국어"
    r"|ترجم|الإنجليزية|اللغة|çevir|ingilizce|dịch|tiếng|अनुवाद|अंग्रेज",
    re.IGNORECASE,
)
_TOKENS = re.compile(  # a question about the special tokens of a model
    r"chatml|\b(?:chat|prompt) (?:template|format)|\b(?:special|control|stop|eos|bos|padding|sentinel) tokens?\b"
    r"|tokeni[sz]er|\b(?:llama|mistral|gpt|qwen|deepseek|gemma|phi)\b[^.?!]{0,80}\b(?:template|format|tokens?)\b",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"syntax|python ?2\b|broken|bug|error|invalid|malformed|incorrect|wrong|mistake|incomplete|fehler|kaputt|erreur"
    r"|errore?s?\b|ошибк|错误|エラー|오류",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Requested:
    """The faults that a request asks for.

    ``prompt``: the user's last message. ``instructions``: the texts of the system and developer messages.
    """

    prompt: str = ""
    instructions: str = ""

    @cached_property
    def refusal(self) -> bool:
        """Whether the request asks for a refusal, or its instructions name questions that the model must not answer."""
        return self._asks(_REFUSAL) or _ABSTENTION.search(self.instructions) is not None

    @cached_property
    def repetition(self) -> bool:
        return self._asks(_REPETITION)

    @cached_property
    def language(self) -> bool:
        return self._asks(_LANGUAGE)

    @cached_property
    def special_tokens(self) -> bool:
        return self._asks(_TOKENS)

    @cached_property
    def broken(self) -> bool:
        return self._asks(_BROKEN)

    def _asks(self, words: re.Pattern[str]) -> bool:
        return words.search(self.prompt) is not None or words.search(self.instructions) is not None
