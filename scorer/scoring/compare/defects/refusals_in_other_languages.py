"""The pattern of refusals in eleven languages other than English.

A refusal has a negation, the first person, and either a verb of helping or a name for the request. Letters and stories
also have an apology and a negation, but other verbs. Each gap is bounded, so that the cost is linear. The caller must
have replaced Chinese and Japanese punctuation with English punctuation.
"""

from __future__ import annotations

import re

_GERMAN = (
    r"(?:helfen|antworten|unterstützen|bereitstellen|liefern|erstellen|(?<!gut )(?<!mehr )schreiben|generieren"
    r"|anbieten|nachkommen"
    r"|erfüllen|ausführen|tun|besprechen|diskutieren|dienen|durchführen|verarbeiten|zugreifen|entsprechen"
    r"|(?:auskunft|auskünfte|informationen|anleitung|anleitungen|ratschläge|rat|antwort)\b[^.!?]{0,40}\bgeben)"
)
_FRENCH = (
    r"(?:aider|répondre|fournir|assister|traiter|générer|créer|rédiger|écrire|partager|satisfaire|discuter|effectuer"
    r"|proposer|produire|accéder à|donner (?:d'|de |cette|ces|des|suite)|faire (?:cela|ça))"
)
_SPANISH = (
    r"(?:ayudar|asistir|responder|proporcionar|generar|crear|escribir|cumplir|compartir|atender|discutir|realizar"
    r"|procesar|acceder|hacer eso|hablar (?:de|sobre) es"
    r"|(?:ofrecer|dar)\w{0,2} (?:informaci|instruccion|consejo|asesor))"
)
_PORTUGUESE = (
    r"(?:ajud[aá]|auxili[aá]|responder|fornecer|gerar|criar|escrever|atender|cumprir|compartilhar|partilhar|discutir"
    r"|processar|realizar|acessar|aceder|fazer isso|falar sobre (?:isso|ess)"
    r"|(?:oferecer|dar) (?:informa|instru|conselho))"
)
_ITALIAN = (
    r"(?:aiutar|assister|risponder|fornir|generar|crear|scriver|soddisfar|condivider|discuter|elaborar|eseguir|acceder"
    r"|farlo|fare questo|(?:offrir|dar)\w{1,3} (?:informazion|istruzion|consigl|consulenz))"
)
_DUTCH = (
    r"(?:help|beantwoord|antwoorden|verstrekken|uitvoeren|schrijven|genereren|voldoen|delen|bespreken|doen"
    r"|(?:informatie|advies|antwoord|instructies|hulp) (?:over \w{1,15} )?(?:geven|bieden))"
)
_POLISH = (
    r"(?:pom[óa]|odpowied|odpowiad|udziel|dostarcz|wygener|stworz|napis|spełni|wykona|podać|zrealizow|omawia"
    r"|udostępn)"
)
_RUSSIAN = (
    r"(?:помо|ответ|отвеч|предостав|сгенер|созда|написа|выполн|обсужд|продолж|обработ|подели|доступ|сделать это"
    r"|сказать|дать (?:совет|информ|ответ|инструк))"
)
_CHINESE = (
    r"(?:回答|提供|协助|帮助|帮到|帮您|帮你|满足|生成|创作|讨论|完成"
    r"|给出|透露|告诉|分享|撰写|協助|幫助|滿足|討論|遵从|[处處]理(?=您|你|这|此|该|[,.!]|$)|执行(?=您|你|这|此|该|[,.!]|$))"
)
_NO_CONTINUATION = r"(?![^.!?]{0,40}(?:但|否则|不过|可是|然而|而是))"
_JAPANESE = (
    r"(?:お答え|お応え|お手伝い|回答|対応|提供|支援|協力|ご案内|生成|作成|お力に"
    r"|お教え|実行|処理|サポート|アドバイス|応じ)[^.!?]{0,12}"
    r"(?:できません|できかねます|できない|られません|なれません|いたしかねます|致しかねます)(?! ?[がか])"
)
_KOREAN = (
    r"(?:도와|도움|답변|제공|대답|응답|지원|생성|작성|알려|처리|수행|응할|들어|따를|답해|말씀)[^.!?]{0,10}"
    r"(?:수 없습니다|수 없어요|수가 없습니다|어렵습니다)"
)

OTHER_LANGUAGES = re.compile(
    r"(?:^|[.!?:,。！，、\"]\s*)(?:"
    # German
    r"(?:es tut mir (?:sehr )?leid|tut mir leid|leider|entschuldigung)[^.!?]{0,60}"
    r"\b(?:(?:kann|darf|werde|möchte) ich|ich (?:kann|darf|werde|möchte))\b"
    rf"(?=[^.!?]{{0,80}}\b(?:nicht|keine?n?)\b)[^.!?]{{0,100}}?{_GERMAN}"
    r"|(?:aber |doch )?ich (?:kann|darf|werde) (?:ihnen |dir |euch )?(?:dabei |damit |hierbei |bei [^.!?]{1,40} )?"
    r"(?:leider )?nicht (?:weiter)?(?:helfen|antworten|dienen)"
    rf"|ich (?:kann|darf|werde) (?:ihnen |dir |dazu |hierzu |darüber )?(?:leider )?keine [^.!?]{{0,40}}?\b{_GERMAN}"
    r"|(?:aber )?ich kann (?:auf )?(?:diese[nr]?|ihre|deine) (?:anfrage|frage|bitte|aufforderung) (?:leider )?nicht"
    r" (?:erfüllen|beantworten|bearbeiten|antworten)"
    r"|(?:dabei|damit|das|dies|darauf|diese[nr]? (?:anfrage|frage|bitte|wunsch)) (?:kann|darf|werde) ich"
    r" (?:ihnen |dir )?(?:leider )?nicht (?:(?:weiter)?helfen|(?:be)?antworten|tun|erfüllen|schreiben|bearbeiten)"
    r"|als (?:ki|sprachmodell|künstliche intelligenz)(?:-?(?:sprach)?modell|[- ]assistent)?,? (?:kann|darf|bin|habe)"
    r" ich\b[^.!?]{0,60}\b(?:nicht|keine?n?)\b(?! (?:gefühl|körper|emotion))"
    # French
    r"|(?:je suis (?:vraiment )?désolée?|désolée?|je regrette|malheureusement)[^.!?]{0,40}\bje ne (?:peux|puis|suis)\b"
    rf"[^.!?]{{0,60}}?{_FRENCH}"
    r"|je ne (?:peux|puis|suis) (?:pas |malheureusement pas )?(?:en mesure de |autorisée? à )?(?:vous |t')?"
    r"(?:aider (?:à|avec|dans|sur|pour)\b|aider(?=[.,;!]|$)"
    r"|répondre à (?:cette|votre|ta|ce)|fournir (?:ce|cette|ces|d))"
    r"|en tant qu(?:e |')[^.!?]{0,40}(?:ia|intelligence artificielle|modèle de langage)[^.!?]{0,40}\bje ne (?:peux"
    r"|puis|suis)\b"
    # Spanish, Portuguese, Italian
    r"|(?:lo siento|lamentablemente|me temo|desafortunadamente)[^.!?]{0,40}\bno (?:puedo|me es posible|estoy)\b"
    rf"[^.!?]{{0,60}}?{_SPANISH}"
    r"|no puedo (?:ayudarte|ayudarle|ayudar con es[aeo]|responder a es[ae]"
    r"|(?:proporcionar|generar|ofrecer) (?:es[aeo]|instruccion|informaci|contenido|detalles|asesor))"
    r"|(?:desculpe|sinto muito|lamento|infelizmente)[^.!?]{0,40}\bnão (?:posso|consigo)\b"
    rf"[^.!?]{{0,60}}?{_PORTUGUESE}"
    r"|não (?:posso|consigo) (?:(?:te |lhe )?ajud[aá](?:r|-l[oa])(?=[.,;!]|$| com| niss| ness| a )|responder a ess[ae]"
    r"|(?:fornecer|gerar|oferecer) (?:ess|est|instru|informa|conteúdo|detalhes|conselho))"
    r"|(?:mi dispiace|purtroppo|spiacente)[^.!?]{0,40}\bnon (?:posso|sono in grado)\b"
    rf"[^.!?]{{0,60}}?{_ITALIAN}"
    r"|non (?:posso|sono in grado di) (?:aiutarti|aiutarla|rispondere a quest[ao]"
    r"|(?:fornir|generar|offrir)e (?:quest|istruzion|informazion|contenut|dettagli|consulenz))"
    # Dutch, Polish, Russian
    r"|(?:het spijt me|sorry|helaas)[^.!?]{0,40}\b(?:(?:kan|mag) ik|ik (?:kan|mag))\b(?=[^.!?]{0,60}\b(?:niet|geen)\b)"
    rf"[^.!?]{{0,80}}?\b{_DUTCH}"
    r"|ik kan (?:je|u) (?:(?:daar|hier)(?:mee|bij) niet|(?:daar|hier) niet (?:mee|bij))"
    rf"|(?:przykro mi|przepraszam|niestety)[^.!?]{{0,40}}\bnie (?:mogę|jestem w stanie)\b[^.!?]{{0,60}}?\b{_POLISH}"
    r"|nie mogę (?:pomóc(?=[.,;!]|$| w t| z t)|odpowiedzieć na t|spełnić t)"
    rf"|(?:извините|простите|к сожалению|мне жаль)[^.!?]{{0,40}}\bя? ?не (?:могу|смогу|имею)\b"
    rf"[^.!?]{{0,60}}?\b{_RUSSIAN}"
    r"|я не могу (?:помочь(?: вам| тебе)?(?=[.,;!]|$| (?:с|в) )|ответить на эт"
    r"|предоставить (?:так|эт|инстр|информ)|выполнить (?:эт|ваш|так))"
    # Chinese
    r"|(?:对不起|抱歉|很遗憾|不好意思|對不起)[^.!?。！？]{0,12}(?:无法|不能|不可以|無法|不便)"
    rf"[^.!?。！？,]{{0,12}}?{_CHINESE}"
    r"|我(?:无法|不能|無法)(?:为您|为你|向您|给您|直接)?"
    r"(?:回答|提供(?!比|更)|协助|满足|協助|讨论|生成|给到|帮助(?=您|你|完成|处理|[,.!]|$))|我还没有?学会(?:如何)?回答"
    r"|(?:这个|这类|此|该|您的|你的)(?:问题|话题)[^.!?。,]{0,4}(?:无法|不能|不便)(?:为您|为你)?(?:回答|讨论|协助)"
    rf"(?=[.,!]|$){_NO_CONTINUATION}"
    r"|(?:(?:您的|你的)请求[^.!?。,]{0,4}(?:无法|不能)(?:提供|完成|处理)"
    r"|(?:这个|您的|你的)请求[^.!?。,]{0,4}(?:无法|不能)(?:回答|协助|满足))"
    rf"(?=[.,!]|$){_NO_CONTINUATION}"
    r"|(?:让|那)?我们?(?:换个|聊点)(?:话题|别的)[^.!?,]{0,6}吧"
    # Japanese, Korean
    rf"|(?:申し訳|すみません|恐れ入り)[^!?]{{0,40}}?{_JAPANESE}"
    r"|(?:その|この|ご|こちらの)[^.!?]{0,10}(?:質問|依頼|リクエスト|要求|内容)[^.!?]{0,8}"
    r"(?:お答え|お応え|対応|回答|お手伝い)[^.!?]{0,6}(?:できません|できかねます|いたしかねます)(?! ?[がか])"
    rf"|(?:죄송|유감)[^!?]{{0,40}}?{_KOREAN}"
    rf"|(?:그|이|해당|요청하신|그런|이런) ?(?:요청|질문|내용|주제)[^.!?]{{0,10}}?(?!처리|수행|생성|작성|지원){_KOREAN}"
    r")",
    re.IGNORECASE,
)
