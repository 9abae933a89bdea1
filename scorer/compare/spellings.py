"""Spellings that mean the same: spelled numbers, units, abbreviations, contractions; entries are ``found=meant``."""

from __future__ import annotations


def _table(text: str) -> dict[str, str]:
    return dict(entry.split("=") for entry in text.split())


SPELLED_NUMBERS = _table(
    """
    zero=0 one=1 two=2 three=3 four=4 five=5 six=6 seven=7 eight=8 nine=9 ten=10 eleven=11 twelve=12 thirteen=13
    fourteen=14 fifteen=15 sixteen=16 seventeen=17 eighteen=18 nineteen=19 twenty=20 thirty=30 forty=40 fifty=50
    sixty=60 seventy=70 eighty=80 ninety=90
    """
)
SYMBOLS = _table(
    """
    %=percent $=dollar €=euro £=pound ¥=yen ₹=rupee &=and ½=0.5 ¼=0.25 ¾=0.75 °=degree
    """
)
SAME = _table(
    """
    ok=okay percentage=percent e.g=eg i.e=ie u.s=us u.k=uk u.s.a=usa dollars=dollar usd=dollar euros=euro eur=euro
    pounds=pound gbp=pound degrees=degree km=kilometer kilometers=kilometer kilometre=kilometer
    kilometres=kilometer cm=centimeter centimeters=centimeter centimetres=centimeter mm=millimeter
    millimeters=millimeter millimetres=millimeter meters=meter metres=meter metre=meter kg=kilogram kgs=kilogram
    kilograms=kilogram grams=gram mg=milligram milligrams=milligram miles=mile hours=hour hrs=hour hr=hour
    minutes=minute mins=minute min=minute seconds=second_unit secs=second_unit sec=second_unit days=day weeks=week
    months=month years=year lbs=lb ounces=ounce oz=ounce gb=gigabyte gigabytes=gigabyte mb=megabyte
    megabytes=megabyte kb=kilobyte tb=terabyte jan=january feb=february mar=march apr=april jun=june jul=july
    aug=august sep=september sept=september oct=october nov=november dec=december mon=monday tue=tuesday
    tues=tuesday wed=wednesday thu=thursday thurs=thursday fri=friday utilize=use utilise=use utilizes=uses
    utilizing=using
    """
)
# Two words in one; the parts are joined by ``+``.
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
SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
