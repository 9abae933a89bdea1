"""Tables of different spellings with the same meaning: signs, and in English units, abbreviations and contractions.

Most tables have entries of the form ``spelling=normal form``.
"""

from __future__ import annotations

from scorer.scoring.compare.vocabulary.word_lists import words


def _table(text: str) -> dict[str, str]:
    return dict(entry.split("=") for entry in text.split())


TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
# Each sign with its normal form. Signs with the same meaning have the same normal form.
SYMBOLS = _table("%=percent €=euro £=pound ¥=yen ₹=rupee &=and °=degree")
SYMBOLS |= {"≤": "<=", "≥": ">=", "≠": "!=", "→": ">", "->": ">", "=>": ">", "⇒": ">", "←": "<", "⇐": "<", "==": "="}
SYMBOLS |= {"*": "×", "÷": "/"}
SYMBOLS |= dict.fromkeys("↑⬆▲🔺📈", "↑") | dict.fromkeys("↓⬇▼🔻📉", "↓")
SYMBOLS |= dict.fromkeys("✓✔✅☑", "✓") | dict.fromkeys("✗✘❌❎☒✖", "✗")
# Pictures that decorate a text, and faces that smile.
SYMBOLS |= dict.fromkeys("✨🎉🎊🌟💫🚀💡🔥🙌👏🥳", "✨") | dict.fromkeys("😀😃😄😁😊🙂☺😉🤗😇", "🙂")
CURRENCY_MARKS = {
    "$": "$", "US$": "$", "USD": "$", "A$": "AUD", "C$": "CAD", "€": "€", "EUR": "€", "£": "pound", "GBP": "pound",
    "¥": "¥", "JPY": "¥", "₹": "₹", "INR": "₹", "CHF": "CHF",
}  # fmt: skip
SAME = _table(
    """
    ok=okay percentage=percent e.g=eg i.e=ie u.k=uk dollars=dollar usd=dollar euros=euro eur=euro
    pounds=pound gbp=pound degrees=degree km=kilometer kilometers=kilometer kilometre=kilometer
    kilometres=kilometer cm=centimeter centimeters=centimeter centimetres=centimeter centimetre=centimeter mm=millimeter
    millimeters=millimeter millimetres=millimeter millimetre=millimeter meters=meter metres=meter metre=meter
    kg=kilogram kgs=kilogram kilograms=kilogram grams=gram mg=milligram milligrams=milligram miles=mile hours=hour
    hrs=hour hr=hour minutes=minute mins=minute min=minute seconds=second_unit secs=second_unit sec=second_unit
    days=day weeks=week months=month years=year decades=decade centuries=century lbs=lb ounces=ounce oz=ounce
    gb=gigabyte gigabytes=gigabyte mb=megabyte megabytes=megabyte kb=kilobyte tb=terabyte litre=liter litres=liter
    liters=liter millilitres=milliliter milliliters=milliliter millilitre=milliliter ml=milliliter tonnes=tonne
    tons=ton inches=inch feet=foot yards=yard gallons=gallon teaspoons=teaspoon tablespoons=tablespoon cups=cup
    watts=watt kilowatts=kilowatt volts=volt milliseconds=millisecond microseconds=microsecond kmh=kph
    jan=january feb=february mar=march apr=april jun=june jul=july
    aug=august sep=september sept=september oct=october nov=november dec=december mon=monday tue=tuesday
    tues=tuesday wed=wednesday thu=thursday thurs=thursday fri=friday utilize=use utilise=use utilizes=uses
    utilizing=using doctor=dr mister=mr professor=prof saint=st versus=vs approx=approximately incl=including
    eleventh=11th twelfth=12th thirteenth=13th fourteenth=14th fifteenth=15th sixteenth=16th seventeenth=17th
    eighteenth=18th nineteenth=19th twentieth=20th
    grey=gray greyer=grayer greyish=grayish fibre=fiber fibres=fibers calibre=caliber sabre=saber sombre=somber
    licence=license licences=licenses practise=practice practised=practiced practising=practicing programme=program
    programmes=programs aluminium=aluminum cheque=check cheques=checks tyre=tire tyres=tires jewellery=jewelry
    sceptical=skeptical sceptic=skeptic sceptics=skeptics scepticism=skepticism judgement=judgment judgements=judgments
    acknowledgement=acknowledgment defence=defense defences=defenses offence=offense offences=offenses pretence=pretense
    plough=plow draught=draft kerb=curb mould=mold moulds=molds moustache=mustache pyjamas=pajamas whilst=while
    amongst=among towards=toward afterwards=afterward manoeuvre=maneuver paediatric=pediatric anaemia=anemia
    oestrogen=estrogen foetus=fetus foetal=fetal encyclopaedia=encyclopedia artefact=artifact artefacts=artifacts
    learnt=learned burnt=burned dreamt=dreamed spelt=spelled enrol=enroll enrolment=enrollment fulfil=fulfill
    fulfils=fulfills skilful=skillful instalment=installment instalments=installments ageing=aging storey=story
    storeys=stories sulphur=sulfur leukaemia=leukemia diarrhoea=diarrhea haemorrhage=hemorrhage haemoglobin=hemoglobin
    orthopaedic=orthopedic gynaecology=gynecology anaesthetic=anesthetic anaesthesia=anesthesia mum=mom maths=math
    cosy=cozy doughnut=donut disc=disk discs=disks grammes=gram
    """
)
# Each normal form with its long forms, in lower case.
_LONG_FORMS = {
    "usa": "united states of america|united states", "uk": "united kingdom|great britain", "un": "united nations",
    "eu": "european union", "nyc": "new york city", "gdp": "gross domestic product", "ceo": "chief executive officer",
    "cfo": "chief financial officer", "cto": "chief technology officer", "ai": "artificial intelligence",
    "ml": "machine learning", "faq": "frequently asked questions", "asap": "as soon as possible", "eg": "for example",
    "cpu": "central processing unit", "gpu": "graphics processing unit", "api": "application programming interface",
    "html": "hypertext markup language", "dna": "deoxyribonucleic acid", "eta": "estimated time of arrival",
    "q1": "first quarter", "q2": "second quarter", "q3": "third quarter",
    "q4": "fourth quarter", "vat": "value added tax|value-added tax",
    "nato": "north atlantic treaty organization",
    "world war 2": "world war 2|world war ii|second world war|world war two|wwii|ww2",
    "world war 1": "world war 1|world war i|first world war|world war one|wwi|ww1", "no longer": "no longer",
}  # fmt: skip


def _phrases() -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the long forms of abbreviations as (long form, normal form) pairs, by the first word of the long form.

    The longest form comes first.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for key, forms in _LONG_FORMS.items():
        for form in forms.split("|"):
            found.setdefault(form.split()[0], []).append((form, key))
    return {first: tuple(sorted(forms, key=lambda f: -len(f[0]))) for first, forms in found.items()}


PHRASES = _phrases()
# A number after one of these words is a version, so that 3.10 is not 3.1.
VERSION_WORDS = words("""
    version versions v ver release releases rev revision build python node nodejs java php ruby go rust ubuntu debian
    fedora macos ios android windows kubernetes postgres postgresql mysql django flask numpy pandas react angular vue
    swift kotlin scala perl gcc cmake tls http ipv chapter section article figure table appendix paragraph clause step
    exercise example item rfc equation
    """)
# Contractions of two words. A ``+`` joins the two words.
CONTRACTED = {
    whole: tuple(parts.split("+"))
    for whole, parts in _table(
        """
    won't=will+not can't=can+not cannot=can+not shan't=shall+not let's=let+us ain't=is+not gonna=going+to
    wanna=want+to wont=will+not cant=can+not dont=do+not doesnt=does+not isnt=is+not didnt=did+not it's=it+is
    that's=that+is there's=there+is what's=what+is here's=here+is he's=he+is she's=she+is who's=who+is
    how's=how+is where's=where+is
    """
    ).items()
}
SUFFIXES = {"'re": "are", "'ll": "will", "'ve": "have", "'d": "would", "'m": "am"}
