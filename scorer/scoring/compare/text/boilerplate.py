"""Remove the boilerplate around an answer: a greeting before it, and an offer of help after it.

A greeting is a complete known phrase that ends with punctuation. A sentence that only begins like a greeting
("Absolutely not.") is part of the answer. An offer may be specific ("let me know if you want a list of museums").
Therefore the removed offers are returned, so that two different offers can be compared. See ADR 0122.
"""

from __future__ import annotations

import re

_HELP = r"(?:help|assist|explain|answer)(?: you)?(?: (?:out )?(?:with )?(?:that|this|it))?"
_QUESTION = r"(?:your |the |this |that )?(?:great |good |interesting )?question"
_OPENING = re.compile(
    r"(?:"
    r"sure(?: thing)?|certainly|of course|absolutely|definitely|no problem|okay|ok|alright|all right|right away|right"
    r"|(?:what an? |that's an? |that is an? )?(?:great|good|excellent|interesting|nice|wonderful) question"
    r"|(?:i'?d be |i would be |i'?m |i am )?(?:more than |always |very )?(?:happy|glad|delighted|pleased) to " + _HELP +
    r"|(?:hello|hi|hey)(?: there| everyone| all)?|greetings|good (?:morning|afternoon|evening|day)"
    r"|dear (?:user|customer|friend)|(?:thanks|thank you)(?: (?:so|very) much)?"
    r"(?: for (?:asking|reaching out|contacting us|your (?:message|patience|interest)|" + _QUESTION + r"))?"
    r"|you'?re (?:very )?welcome|welcome|my pleasure|with pleasure|glad you asked|as requested"
    r"|(?:let me|allow me to) " + _HELP + r"|let'?s (?:dive|jump|get) (?:right )?(?:in|into it|started)"
    r"|(?:here(?:'s| is| are)|below (?:is|are)|the following (?:is|are)) (?:the |an? |your |my |some )?"
    r"(?:short |brief |simple |detailed |quick |complete |full |concise |direct |possible |requested )?"
    r"(?:answers?|response|reply|information|explanation|details|overview)"
    r"(?: (?:to|for) (?:your question|you|that|this))?(?: (?:that )?you (?:asked|requested|wanted)(?: for| about)?)?"
    r"|here(?:'s| is) what (?:you asked(?: for)?|i know|i found)|here you go"
    r"|answer|response|reply|assistant"
    r"|gerne|natürlich|klar|selbstverständlich|hallo|guten tag|hier ist (?:die|meine|ihre) antwort"
    r"|bien sûr|bonjour|voici (?:la|ma|votre) réponse|claro|por supuesto|hola|aquí (?:está|tienes) la respuesta"
    r"|certo|certamente|ciao|ecco la risposta|olá|aqui está a resposta"
    r"|当然(?:可以)?|好的|你好|您好|以下是(?:您的)?(?:答案|回答)|もちろん(?:です)?|بالتأكيد|مرحبا"
    r")\s*(?:[,.!:;]+|-(?=\s)|\n)\s*",
    re.IGNORECASE,
)  # fmt: skip
# Clauses about the wishes of a reader. Any other clause with "if" belongs to the subject of the answer.
_WISH = (
    r"(?:you(?:'d| would| want| wish| like| prefer| need| ever need| run into| get stuck| tell| give| share| provide"
    r"| could| can|'re (?:interested|looking|unsure|curious|stuck|not sure)"
    r"| are (?:interested|looking|unsure|curious|stuck|not sure)"
    r"| (?:still )?(?:have|got) (?:(?:any|a|more|other|further|specific|additional) ){0,3}"
    r"(?:questions?|doubts?|details?|issues?|trouble|concerns?|problems?|requests?|requirements?|preferences?))\b"
    r"|(?:there(?:'s| is| are) )?(?:anything|something)(?: is| isn't| was)?(?: else| more| unclear| i (?:can|could))\b"
    r"|(?:this|that|it) (?:helps|helped|works|worked|makes sense|answers)\b|i (?:can|could|may)\b)"
)
_ASK = r"(?:ask(?! (?:your|the|an?|him|her|them|his|my|our)\b)|reach out|contact (?:me|us)|let me know)"
_OFFER = re.compile(
    r"(?:(?:and|so|but|also)?,? ?(?:please )?(?:just )?let me know[.!]*"
    r"|(?:and|so|but|also)?,? ?(?:please )?(?:just )?let me know (?:(?:if|in case|should|when(?:ever)?) "
    + _WISH
    + r"|how (?:it|that|this|you)\b|what (?:you|else)\b|which\b|your\b).*"
    r"|(?:please )?feel free to " + _ASK + r"\b.*"
    r"|(?:please )?(?:don'?t|do not) hesitate to " + _ASK + r"\b.*"
    r"|(?:if|should) " + _WISH + r".*\b(?:let me know|feel free to " + _ASK + r"|i(?:'m| am) here"
    r"|i(?:'d| would) be (?:happy|glad)|i(?:'m| am) (?:happy|glad)|i can (?:help|also|give|provide|go)|just ask"
    r"|hesitate to " + _ASK + r"|happy to help|just say so)\b.*"
    r"|.{0,80}\b(?:would you like (?:me|to (?:know|see|learn|hear)|more|any|an?|some|help)|do you want me to"
    r"|do you need (?:any|more|help)|can i help|may i help|shall i|should i)\b.*\?"
    r"|(?:i )?(?:really )?hope (?:this|that|it|these)(?: \w+)? (?:helps?|helped|answers?|clarif(?:y|ies)|gives?"
    r"|is helpful|was helpful|makes sense|works)\b.*"
    r"|(?:is|was) there anything else\b.*|anything else\?)[.!? ]*",
    re.IGNORECASE | re.DOTALL,
)
_FAREWELL = re.compile(
    r"(?:(?:always )?(?:happy|glad) to help|you'?re (?:very )?welcome|(?:thanks|thank you)(?: (?:so|very) much)?"
    r"(?: for (?:asking|reading|your (?:question|patience|time|attention)))?"
    r"|i(?:'m| am) (?:always )?here (?:to help|if you need (?:me|anything|help))"
    r"|good luck(?: with (?:it|that|this|everything|your \w+))?|enjoy(?: (?:it|your \w+|the \w+))?|cheers|take care"
    r"|have an? (?:great|nice|good|wonderful|lovely) (?:day|one|evening|week(?:end)?|time|trip)|safe travels"
    r"|happy (?:coding|cooking|baking|reading|travels|travelling|traveling|learning|writing|hiking)|bon appétit"
    r"|(?:best|kind|warm) regards|viel erfolg|gern geschehen|guten appetit)[.! ]*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?:[.!?:;)\]\"']\s|\n)\s*(?=\S)")
_REACH = 320  # number of characters before the end that may contain the last sentence
# An offer with a number or a name has content, so it is not removed.
_NUMBER_OR_NAME = re.compile(r"\d|[a-z,] +(?!I\b)[A-Z][a-z]")
# An offer with a second clause, a time or a warning is not removed either, unless that clause is another offer.
_ANOTHER_OFFER = re.compile(
    r"(?:don'?t|do not) hesitate|(?:and|so|but),? (?:please |just )?(?:let me know|feel free)"
    r"|\b(?:and|so|but),? (?:then |that )?(?:i|we)(?:'ll|'d|'m| can| could| will| would| am| are)\b(?: \w+)?"
    r"|\bi can (?:also )?go\b|not sure|\b(?:not|isn't|n't) clear\b|i should\b",
    re.IGNORECASE,
)
_SECOND_CLAUSE = re.compile(
    r"n't\b|\b(?:not|never|no|nor|without|but|because|as|since|by|before|after|until|unless|must|should|stop|call|go"
    r"|immediately|at once|otherwise)\b|:|\band (?!(?:an?|the|your|my|any|more|other|some|its|their|\w+s)\b)",
    re.IGNORECASE,
)


def strip_boilerplate(text: str) -> str:
    """Return a text without its greetings and closing phrases, unless the whole text consists of them."""
    return without_closing_phrases(without_greeting(text.strip()))[0]


def without_greeting(body: str) -> str:
    """Remove up to five phrases such as "Sure!" or "Here is the answer:" from the beginning of a text."""
    for _ in range(5):
        match = _OPENING.match(body)
        if match is None or match.end() == len(body):
            break
        body = body[match.end() :]
    return body


def without_closing_phrases(body: str) -> tuple[str, str]:
    """Remove up to three offers or farewells from the end of a text. Return the rest and the removed offers."""
    offers = ""
    for _ in range(3):
        floor = max(0, len(body) - _REACH)
        starts = [m.end() for m in _SENTENCE.finditer(body, floor)]
        if not starts:
            break
        last = body[starts[-1] :]
        offer = _OFFER.fullmatch(last) is not None and not _has_content(last)
        if not offer and _FAREWELL.fullmatch(last) is None:
            break
        offers = f"{last} {offers}" if offer else offers
        body = body[: starts[-1]].rstrip()
    return body, offers.strip()


def _has_content(offer: str) -> bool:
    """Return whether a closing offer also contains information about the subject of the answer."""
    return _NUMBER_OR_NAME.search(offer) is not None or _SECOND_CLAUSE.search(_ANOTHER_OFFER.sub("", offer)) is not None


_SALUTATION = re.compile(
    r"(?:(?<=\n)|\A)(?:dear|hi|hello|hey|good (?:morning|afternoon|evening))(?= [^\n,!:]{1,60}[,!:]?[ \t]*\n)",
    re.IGNORECASE,
)
_INLINE_SALUTATION = re.compile(
    r"(?:\A|(?<= ))(?:Dear|Hi|Hello|Hey)"
    r"(?= (?:(?:(?:Mr|Ms|Mrs|Dr|Prof)\.? )?[A-Z]\w{0,30}(?: [A-Z]\w{0,30})?|all|team|everyone|folks),)"
)
_SIGN_OFF = re.compile(
    r"(?:(?<=\n)|(?<=[.!?] ))(?:(?:(?:with )?(?:kind|best|warm|kindest|warmest)(?: regards| wishes)?|regards"
    r"|(?:yours )?(?:sincerely|faithfully|truly)(?: yours)?|sincere regards|respectfully|cordially|thanks(?: again)?"
    r"|many thanks|thank you|cheers|all the best|take care)"
    r"|(?P<german>(?:mit freundlichen|viele|beste|freundliche|herzliche) grüßen?))"
    r"[,.!]?[ \t]*(?=(?:\n+[^\n]{1,60}){0,5}\s*\Z|(?<=, )[^\n.!?]{1,60}\Z)",
    re.IGNORECASE,
)


def normalise_letter(body: str) -> str:
    """Return a letter with a uniform salutation and sign-off: "Hello Ms. Alba," becomes "Dear Ms. Alba,"."""
    head = body[:_REACH]
    for salutation in (_SALUTATION, _INLINE_SALUTATION):
        head, found = salutation.subn("Dear", head, count=1)
        if found:
            break
    body = head + body[_REACH:]
    floor = max(0, len(body) - _REACH)
    match = _SIGN_OFF.search(body, floor)
    if match is None:
        return body
    return body[: match.start()] + ("Viele Grüße, " if match["german"] else "Kind regards, ") + body[match.end() :]
