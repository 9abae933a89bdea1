"""The pattern of English refusals: the writer cannot, may not or will not do what the request asks for.

A negation alone is not a refusal ("I can't sleep"), because stories and letters have the same words. The pattern
therefore requires a verb of helping and an object that refers to a request. After an apology it requires less.
Each gap is bounded, so that the cost is linear.
"""

from __future__ import annotations

import re

_CANNOT = (
    r"(?:can(?:not| ?not|'?t)(?:,? and (?:will not|won't))?|won't|will not|could not|couldn't"
    r"|(?:don't|do not)(?! (?:writ|draft|continue|do\b))|(?:must |(?:have|need) to )?decline to"
    r"|refuse to|(?:am|'m|are|'re) (?:not able|unable|not allowed|not permitted|not going) to"
    r"|(?:am|'m) not comfortable)"
    r",? (?:really |currently |directly |ethically |be able to |in good conscience,? )?"
)
_UNABLE = r"(?:am|'m|are|'re) (?:currently )?(?:unable|not able|not allowed|not permitted) to (?:directly )?"
_RULES = (
    r"(?:(?:my|our|openai'?s?) (?:[\w-]{1,15} ){0,2}|(?:the )?(?:content|usage|safety|ethical|community) )"
    r"(?:polic|guideline|terms of|standards|programming|principles|values)"
)
_STOP = r"(?=[.,;:!?)]|$| [-–—]| (?:because|as|since|for you|here|due|at this)\b)"
_THIS = (
    rf"(?:(?:that|this|it|these|those){_STOP}"
    r"|(?:that|this|these|those|your|the|any|such|an?) (?:\w{1,15} ){0,3}?(?:requests?|questions?|tasks?|prompts?"
    r"|quer(?:y|ies)|conversation|topics?|subject|discussions?|activit(?:y|ies)|behaviou?r|content"
    r"|roleplay|role-play|assignments?|homework|exam|story|scenario)\b)"
)
_MATTER = (
    r"(?:information|advice|assistance|details?|instructions?|guidance|guides?|tutorials?|content|materials?|support"
    r"|opinions?|answers?|explanations?|recommendations?|predictions?|diagnos[ei]s|lyrics|code|malware|scripts?|jokes?"
    r"|stor(?:y|ies)|poems?|essays?|articles?|images?|pictures?|texts?|messages?|reviews?|posts?|response"
    r"|methods|tips|ways|steps|data|links?|propaganda|recipes?|threats?|speech|songs?|letters?|e-?mails?|satire|fiction"
    r"|scenes?|descriptions?|depictions?|erotica|(?:mis|dis)information|deepfakes?|profiles?|plans?|prescriptions?"
    r"|thesis|documents?|strateg(?:y|ies))\b(?! without)"
)
_HELP = (
    r"(?:(?:help|assist)(?:ing)?(?: (?:you|anyone|someone|people|users)\b(?! if)"
    rf"|{_STOP}| (?:with|in|by|on|further|there|out|create|write|make|generate|plan|build|find|spread|promote)\b)"
    rf"|(?:comply(?:ing)?|fulfil+(?:ing)?|proceed(?:ing)?|accommodat(?:e|ing))(?: with)?(?:{_STOP}| {_THIS})"
    r"|answer(?:ing)? questions\b|advis(?:e|ing) (?:you )?on\b|(?:tell you|describe|explain) how to\b"
    r"|speculate (?:about|on)\b"
    r"|engag(?:e|ing) (?:in|with) (?:\w{1,15} ){0,2}(?:requests|conversations|discussions|content|topics|roleplays?"
    r"|scenarios)\b"
    r"|(?:access|browse) (?:\w{1,15} ){0,2}(?:internet|web|websites?|urls?|links?|files?)\b"
    r"|(?:process|play|view|see|display) (?:\w{1,15} )?(?:images|audio|videos|files|pictures|photos)\b"
    r"|(?:answer|discuss|translat|take part|complet|process|respond|continu|engag|participat|support|perform|execut"
    r"|advis|do)(?:e|ing)?"
    rf"(?: to| with| in| on)? {_THIS})"
)
_GIVE = (
    r"(?:provid|offer|giv|creat|generat|writ|produc|draft|shar|discuss|disclos|reveal|supply|suppl|recommend)"
    rf"(?:e|y|ing)? (?:(?:you|to you|users) )?(?:with )?(?:{_THIS}|(?:specific|such)\b|any\b(?! more)"
    rf"|(?:(?!without|enough|my )[\w'-]{{1,20}},? ){{0,6}}?{_MATTER})"
)
_ANY_HELP = (
    r"(?:help|assist|provid|fulfil|comply|answer|discuss|generat|creat|writ|shar|disclos|respond|process|support|advis"
    r"|complet|engag|accommodat|proceed|produc|talk about|speak about|speculat|role-?play|describ|continu)\w{0,4}\b"
    rf"(?![^.!?]{{0,20}} without| my\b)|(?:do|doing)(?:{_STOP}| (?:that|this){_STOP})"
)
# Actions of a person: "I can't come" is not a refusal. After an apology, "I can't" with any other action is a refusal.
_PRIVATE = (
    r"(?:come|attend|make it|join|be (?!of|a part|used)|go|meet (?:you|up|on|for|next)|stay"
    r"|visit (?:you|my|the|on|next)|sleep|eat|imagine|find the words|express how|stand|afford|pay"
    r"|remember (?:who|where|when|what|how|your)"
    r"|accept (?:the|your) (?:offer|invitation|job|position|gift)|take (?:part|the|you|a)|move|let|wait|undo|bring|hire"
    r"|call (?:you|on)|talk right|offer you|give you (?:a|the|your)|have (?:the )?time"
    r"|get (?:there|away|out|home|off|up)|say it|participate in the|help you (?:move|paint|carry|pack))\b"
    r"|[^.!?]{0,30}\bagain\b"
)
# A model's statement about itself ("As an AI, I don't sleep") answers a question about the model, so it is not a
# refusal.
_NOT_ABOUT_ITSELF = (
    r"(?! ?(?:feel|taste|smell|eat|sleep|get tired|experience|have (?:a |any )?(?:physical |personal )?(?:feelings"
    r"|emotions|body|name|birthday|age|famil|hobb|experiences|consciousness)))"
)
_AI = (
    r"an? (?:ai|artificial intelligence|(?:large )?language model)"
    r"(?: (?:language )?(?:model|assistant|system|chatbot))?"
)

ENGLISH = re.compile(
    r"(?:^|[.!?:,]\s+|\b(?:but|however|as|so|and|which|unfortunately|i'm afraid|i am afraid) |\")(?:"
    r"(?:i(?:'m| am)|we(?:'re| are)) (?:really |very |so |truly )?(?:sorry|afraid)\b[^.!?]{0,80}"
    rf"\b(?:i|we)\b ?{_CANNOT}(?!{_PRIVATE})"
    rf"|(?:unfortunately|regrettably|(?:my )?apologies|sorry|i apologi[sz]e)[^.!?]{{0,60}}\bi ?{_CANNOT}(?:{_ANY_HELP})"
    rf"|i ?{_CANNOT}(?:(?<!don't )(?<!do not )(?:provide|discuss)\b(?! better| every| each| all\b"
    rf"|[^.!?]{{0,40}} without)"
    rf"|mak(?:e|ing) (?:that|this|such|an) (?:\w{{1,15}} ){{0,2}}(?:images?|pictures?|videos?|recordings?)\b"
    rf"|(?:disclose|discuss|reveal|share) my (?:system |internal |own )?(?:prompt|instructions)|{_HELP}|{_GIVE})"
    rf"|we ?{_CANNOT}{_HELP}"
    rf"|i ?{_UNABLE}(?:access(?! my)|browse|retrieve|predict|verify|identify|recogni[sz]e|look up|search|interact"
    r"|(?:see|view|open|watch|display|listen to|send|process) (?:\w{1,15} ){0,2}(?:images?|pictures?|photos?|links?"
    r"|files?|attachments?|videos?|audio|websites?|urls?|documents?|pages?))\b"
    rf"|i(?:'m| am) not comfortable (?:{_ANY_HELP}|with (?:that|this|your))"
    rf"|as {_AI}(?:,? (?:developed|created|trained|made)[^.!?,]{{0,40}})?,? i(?:'m| am)?\b[^.!?]{{0,40}}?"
    rf"\b(?:can(?:not|'t)|unable to|not able to|don't|do not|won't)\b{_NOT_ABOUT_ITSELF}"
    rf"|i(?:'m| am) (?:just |only )?{_AI}\b[^.!?]{{0,40}}\b(?:i (?:can(?:not|'t)|am unable to|am not able to)"
    rf"{_NOT_ABOUT_ITSELF}|not within my)"
    rf"|(?:it|this|that)(?:'s| is| would be| goes| falls) (?:against {_RULES}"
    r"|(?:beyond|outside)(?: of)? (?:the scope of )?(?:(?:my|our) (?:current |present )?(?:abilit"
    r"|capabilit|scope|remit|expertise|programming)|what i(?: can (?:do|help|assist|offer|answer|discuss|provide|say"
    r"|share)|(?:'m| am) (?:able|allowed)))"
    rf"|not possible for me to (?:{_ANY_HELP})"
    rf"|not (?:within|in line with|consistent with|aligned with) {_RULES}"
    r"|(?:not appropriate|inappropriate|unethical|irresponsible) for me)"
    r"|(?:it|this|that) would be (?:inappropriate|unethical|irresponsible) to"
    rf" (?:{_HELP}|{_GIVE})"
    rf"|(?:this|that|your|the) (?:request|question|topic|content)\b[^.!?]{{0,40}}\b(?:violat\w{{1,4}}|against) {_RULES}"
    r"|(?:this|that|your) (?:request|question|topic|content) is (?:\w{1,15} )?"
    r"(?:inappropriate(?=[.;!]|$|,? (?:and|so) i)|not something (?:that )?i(?:'m| am| can)\b)"
    r"|(?:this|that|your|the) (?:request|question|content) cannot be (?:answered|fulfilled|processed|completed"
    r"|generated|provided)(?=[.!]|$| (?:at this (?:time|moment)|due to))"
    rf"|(?:this|that|it)(?:(?:'s not| is not| isn't) something (?:that )?(?:i|we)(?: can|(?:'m| am|'re| are|'d| feel)"
    rf"(?: be)?(?: able to| allowed to| permitted to| willing to| going to| comfortable)?) (?:{_ANY_HELP})"
    rf"|(?:'s| is) something (?:that )?(?:i|we) ?(?:can(?:not|'t)|won't|will not|(?:am|'m|are|'re) (?:not|unable)"
    rf"(?: able| allowed| permitted| going)?(?: to| comfortable)) (?:{_ANY_HELP}))"
    r"|i(?: must| have to| need to|(?:'m| am) going to(?: have to)?) (?:respectfully )?(?:decline"
    r"|pass on (?:this|that))(?![^.!?]{0,40}\b(?:invitation|offer|position|role|job))"
    rf"|i(?:'d| would) (?:rather|prefer) not(?: to)? (?:{_ANY_HELP})"
    rf"|i refuse(?: to (?:{_ANY_HELP})|(?=[.!]|$))"
    rf"|i (?:must|have to|need to|will) refrain from (?:{_ANY_HELP})|(?:not doing (?:that|this)|no can do)(?=[.!]|$)"
    r"|(?:let's|let us) (?:talk about something else|change the (?:topic|subject))(?=[.!]|$)"
    r"|(?:my|our) (?:guidelines|policies|programming|rules) (?:(?:do not|don't|does not|doesn't) (?:allow|permit|let)"
    r"|prevents?|prohibits?|forbids?) (?:me|us)\b|i(?: can only| only|(?:'m| am) only able to) (?:answer|discuss"
    r"|help with|assist with) questions\b"
    rf"|i (?:do not|don't) (?:have (?:access(?! to (?:an?|my) )|the ability|enough information|information)"
    rf"|feel (?:comfortable|right) (?:{_ANY_HELP}|with (?:that|this|your))))",
    re.IGNORECASE,
)
# After a hedge ("no definitive answer, but …") the answer follows. An offer of another kind of help is not an answer.
ANSWER_FOLLOWS = re.compile(
    r"[^.!?]{0,160}(?:,? but|[,;.]? however|,? (?:al)?though|[.!?] (?=(?:in general|generally|typically)\b)),? "
    r"(?!i\b|i'|we\b|you\b|if\b|feel\b|please\b|let me\b|here\b|perhaps\b|maybe\b|there are other)\w+(?:[ ,]+\S+){5}",
    re.IGNORECASE,
)
