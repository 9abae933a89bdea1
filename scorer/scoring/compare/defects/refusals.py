"""Find refusals of the request in the first sentences of an answer, in twelve languages. Cost: 10 µs for 100 words.

Every pattern takes time linear in the length of the text, because the gaps in the pattern are bounded.
"""

from __future__ import annotations

import re

from scorer.scoring.compare.defects.defect import NO_DEFECT, Defect
from scorer.scoring.compare.result import excerpt
from scorer.scoring.compare.text.canonical_text import plain
from scorer.scoring.compare.text.parsed_document import Document

_CANNOT = (
    r"(?:can(?:not| ?not|'?t)|won't|will not|must decline|have to decline|decline|refuse|don't|do not|could not"
    r"|couldn't|(?:am|'m|are|'re) (?:not able|unable|not allowed|not permitted|not comfortable|not going))"
)
_RULES = (
    r"(?:my|our|openai|(?:the |its )?(?:content|usage|safety|ethical|community)? ?(?:polic|guideline|terms of"
    r"|standards"
    r"|programming))"
)
_ENGLISH = re.compile(
    r"(?:^|[.!?:,]\s+|\b(?:but|however|as|so) )"
    rf"(?:i(?:'m| am) (?:really |very |so |truly )?(?:sorry|afraid)\b[^.!?]{{0,80}}\b(?:i|we)\b ?{_CANNOT}"
    rf"|(?:(?:unfortunately|regrettably|apologies|sorry|my apologies|i apologi[sz]e)[^.!?]{{0,60}}\b)?"
    rf"(?:i ?{_CANNOT} (?:really |currently |directly |be able to |in good conscience )?"
    r"(?:help|assist|provide|fulfil|fulfill|comply|answer|do that|do this|support|offer|give|create|generate"
    r"|write|discuss|share|engage|complete|respond|continue|process|proceed|accommodate|participate|advise)"
    rf"|we ?{_CANNOT} (?:really |currently )?(?:help|assist|comply|fulfil|fulfill|discuss|answer))"
    r"|as an? (?:ai|artificial intelligence|(?:large )?language model)\b[^.!?]{0,60}\b(?:can(?:not|'t)|unable"
    r"|not able|don't|do not|won't)"
    rf"|i(?:'m| am) (?:unable|not able|not allowed|not permitted|not comfortable)\b"
    rf"|(?:it|this|that) (?:is|would be|goes) (?:against {_RULES}|beyond (?:my|what i|the scope of (?:what i|my))"
    r"|(?:not appropriate|inappropriate|unethical) (?:for me|to (?:provide|share|discuss|generate|create|write|assist"
    r"|help|answer)))"
    rf"|(?:this|that|your|the) (?:request|question|topic|content)\b[^.!?]{{0,40}}\b(?:(?:violat\w{{1,4}}|against)"
    rf" (?:\w{{1,15}} )?{_RULES}|not something i|inappropriate|cannot be (?:answered|fulfilled|processed|completed))"
    r"|(?:this|that|it)(?:'s| is) (?:not something (?:that )?(?:i|we) (?:can|am able)"
    r"|something (?:that )?(?:i|we) (?:cannot|can't|won't|am (?:not able|unable)) |beyond (?:my|what i))"
    r"|i must (?:respectfully )?decline|i(?:'d| would) (?:rather|prefer) not"
    r"|i (?:do not|don't) (?:have (?:access|the ability|enough information|information)|feel comfortable))",
    re.IGNORECASE,
)
# After a hedge ("no definitive answer, but …") the answer follows. An offer of another kind of help is not an answer.
_ANSWER_FOLLOWS = re.compile(
    r"[^.!?]{0,160}(?:,? but|[,;.]? however|,? (?:al)?though|[.!?] (?=(?:in general|generally|typically)\b)),? "
    r"(?!i\b|i'|we\b|you\b|if\b|feel\b|please\b|let me\b|here\b|perhaps\b|maybe\b|there are other)\w+(?:[ ,]+\S+){5}",
    re.IGNORECASE,
)
_SORRY = re.compile(
    r"^(?:i'm |i am )?(?:sorry|so sorry|my apologies|apologies|i apologi[sz]e|unfortunately)\b", re.IGNORECASE
)

# The whole sentence must match: a verb of helping, a negation and the first person.
_OTHER_LANGUAGES = re.compile(
    r"(?:^|[.!?:,。！，、]\s*)(?:"
    # German
    r"(?:es tut mir (?:sehr )?leid|tut mir leid|leider|entschuldigung)[^.!?]{0,60}\b(?:kann|darf|werde|möchte)"
    r" ich\b[^.!?]{0,80}"
    r"\b(?:nicht|keine?n?)\b|ich (?:kann|darf|werde) (?:ihnen |dir |euch )?(?:dabei |damit |hierbei "
    r"|bei [^.!?]{1,40} )?(?:leider )?nicht"
    r" (?:weiter)?(?:helfen|antworten|dienen)|dabei kann ich (?:ihnen |dir )?(?:leider )?nicht"
    r"|als (?:ki|sprachmodell|künstliche intelligenz)[^.!?]{0,60}\b(?:nicht|keine?n?)\b"
    # French
    r"|(?:je suis (?:vraiment )?désolée?|désolée?|je regrette|malheureusement)[^.!?]{0,40}\bje ne (?:peux|puis"
    r"|suis)\b"
    r"|je ne (?:peux|puis) (?:pas |malheureusement pas )?(?:vous |t')?(?:aider|répondre à (?:cette|votre)"
    r"|fournir (?:ce|cette|d'))"
    r"|en tant qu(?:e |')[^.!?]{0,40}(?:ia|intelligence artificielle|modèle de langage)[^.!?]{0,40}\bne (?:peux"
    r"|puis|suis)\b"
    # Spanish, Portuguese, Italian
    r"|(?:lo siento|lamentablemente|me temo)[^.!?]{0,40}\bno (?:puedo|me es posible|estoy)\b|no puedo (?:ayudarte"
    r"|ayudarle|responder a es[ae])"
    r"|(?:desculpe|sinto muito|lamento|infelizmente)[^.!?]{0,40}\bnão (?:posso|consigo)\b|não posso (?:ajudar"
    r"|responder a ess[ae])"
    r"|(?:mi dispiace|purtroppo|spiacente)[^.!?]{0,40}\bnon (?:posso|sono in grado)\b|non posso (?:aiutarti"
    r"|aiutarla|rispondere a quest[ao])"
    # Dutch, Polish, Russian
    r"|(?:het spijt me|sorry|helaas)[^.!?]{0,40}\b(?:kan|mag) ik\b[^.!?]{0,60}\b(?:niet|geen)\b|ik kan (?:je|u)"
    r" (?:daar|hier)(?:mee|bij) niet"
    r"|(?:przykro mi|przepraszam|niestety)[^.!?]{0,40}\bnie mogę\b|nie mogę (?:pomóc|odpowiedzieć na t)"
    r"|(?:извините|простите|к сожалению|мне жаль)[^.!?]{0,40}\bя? ?не (?:могу|смогу|имею)\b|я не могу (?:помочь"
    r"|ответить на эт)"
    # Chinese, Japanese, Korean
    r"|(?:对不起|抱歉|很遗憾|不好意思|對不起)[^。！？]{0,12}(?:无法|不能|不可以|無法)|我(?:无法|不能|無法)(?:回答|提供|协助|帮助|满足|協助)"
    r"|(?:这个|此|该|您的|你的)?(?:问题|请求)[^。！？]{0,6}(?:我)?(?:暂时)?(?:无法|不能)(?:回答|提供|协助)|我们?(?:换个|聊点)(?:话题|别的)"
    r"|(?:申し訳|すみません|恐れ入り)[^。！？]{0,40}(?:できません|できかねます|お答えできな|お手伝いできな)"
    r"|(?:죄송|유감)[^.!?。]{0,40}(?:수 없습니다|수 없어요|어렵습니다)"
    r")",
    re.IGNORECASE,
)


def refusal(document: Document) -> Defect:
    """Return a defect if the text begins with a refusal, or if the provider reports a refusal; else NO_DEFECT.

    The severity is 1.0, but lower if the refusal in the text comes late, if the text is long and does not begin with an
    apology, or if an answer follows the refusal.
    """
    if document.refused:
        return Defect(1.0, "the provider marks it as a refusal")
    head = plain(document.text[:900].strip()).replace("\n", " ")
    match = _ENGLISH.search(head[:400]) or _OTHER_LANGUAGES.search(head[:160])
    if match is None:
        return NO_DEFECT
    if _ANSWER_FOLLOWS.match(head, match.end()):
        return Defect(0.2, excerpt(head[match.start() : match.end() + 40]))
    early = match.start() < 120
    short = len(document.tokens) < 90
    if early and (short or _SORRY.match(head)):
        return Defect(1.0, excerpt(head[match.start() : match.end() + 40]))
    return Defect(0.7 if early else 0.35, excerpt(head[match.start() : match.end() + 40]))
