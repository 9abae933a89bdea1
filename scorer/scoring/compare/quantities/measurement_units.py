"""Units and currencies after a number, each with the factor that converts it to a base unit.

A table replaces the library pint, which takes 0.3 s to import and has thousands of units that no answer uses. The table
has only exact factors: 1 km is 1000 m and a day is 24 hours, but a mile is not converted to meters.
"""

from __future__ import annotations

import re
from decimal import Decimal

# Each line is "base: symbol=factor ...". Symbols are case-sensitive (ms is not Ms).
_SYMBOLS = """
    m: km=1000 m=1 dm=0.1 cm=0.01 mm=0.001 μm=0.000001 nm=0.000000001
    inch: mi=63360 yd=36 ft=12
    g: kg=1000 g=1 mg=0.001 μg=0.000001 mcg=0.000001 ug=0.000001 ng=0.000000001 t=1000000
    ounce: lb=16 lbs=16 oz=1
    s: ms=0.001 μs=0.000001 us=0.000001 ns=0.000000001 s=1 sec=1 secs=1 min=60 mins=60 h=3600 hr=3600 hrs=3600
    month: mo=1 yr=12 yrs=12
    byte: B=1 kB=1000 KB=1000 MB=1000000 GB=1000000000 TB=1000000000000 PB=1000000000000000
    byte: KiB=1024 MiB=1048576 GiB=1073741824 TiB=1099511627776
    bit: bit=1 bits=1 kbit=1000 Mbit=1000000 Gbit=1000000000 Kb=1000 kb=1000 Mb=1000000 Gb=1000000000
    bit/s: bps=1 kbps=1000 Kbps=1000 Mbps=1000000 Gbps=1000000000
    l: l=1 L=1 dl=0.1 dL=0.1 cl=0.01 cL=0.01 ml=0.001 mL=0.001 μl=0.000001 μL=0.000001
    tsp: tsp=1 tbsp=3
    gal: gal=1
    W: W=1 kW=1000 MW=1000000 GW=1000000000 TW=1000000000000 mW=0.001
    Wh: Wh=1 kWh=1000 MWh=1000000 GWh=1000000000 TWh=1000000000000
    J: J=1 kJ=1000 MJ=1000000
    cal: cal=1 kcal=1000
    V: V=1 kV=1000 mV=0.001
    A: mA=0.001
    Ah: Ah=1 mAh=0.001
    Hz: Hz=1 kHz=1000 MHz=1000000 GHz=1000000000
    Pa: Pa=1 hPa=100 kPa=1000 MPa=1000000 bar=100000 mbar=100
    psi: psi=1
    N: N=1 kN=1000
    Ω: Ω=1 kΩ=1000 MΩ=1000000
    mol: mol=1 mmol=0.001 μmol=0.000001
    dB: dB=1
    ppm: ppm=1
    rpm: rpm=1
    fps: fps=1
    px: px=1
    °C: °C=1 C=1
    °F: °F=1 F=1
    K: K=1 °K=1
    °: °=1
    %: %=1
    ‰: ‰=1
    IU: IU=1
    mph: mph=1
    km/h: kph=1 kmh=1
    m^2: ha=10000
    m^3: cc=0.000001
"""
# Each line is "base: words=factor ...". Words are not case-sensitive. A plural with s needs no entry, and _ is a space.
_WORDS = """
    m: kilometer=1000 kilometre=1000 meter=1 metre=1 decimeter=0.1 decimetre=0.1 centimeter=0.01 centimetre=0.01
    m: millimeter=0.001 millimetre=0.001 micrometer=0.000001 micrometre=0.000001 micron=0.000001 mètre=1 kilomètre=1000
    m: metro=1 kilómetro=1000 chilometro=1000 nanometer=0.000000001 nanometre=0.000000001 quilômetro=1000
    inch: mile=63360 yard=36 foot=12 feet=12 inch=1 inches=1
    g: kilogram=1000 kilogramm=1000 kilogramme=1000 kilo=1000 gram=1 gramm=1 gramme=1 milligram=0.001 milligramm=0.001
    g: milligramme=0.001 microgram=0.000001 tonne=1000000 metric_ton=1000000
    ton: ton=1
    ounce: ounce=1
    stone: stone=1
    s: millisecond=0.001 microsecond=0.000001 nanosecond=0.000000001 second=1 minute=60 hour=3600 day=86400 week=604800
    s: sekunde=1 sekunden=1 minuten=60 stunde=3600 stunden=3600 tag=86400 tage=86400 tagen=86400 woche=604800
    s: wochen=604800 heure=3600 jour=86400 semaine=604800 hora=3600 minuto=60 segundo=1 día=86400 dia=86400
    s: semana=604800 ora=3600 giorno=86400 giorni=86400 fortnight=1209600
    month: month=1 year=12 decade=120 century=1200 centuries=1200 monat=1 monate=1 monaten=1 jahr=12 jahre=12 jahren=12
    month: mois=1 année=12 mes=1 meses=1 año=12 ano=12 anno=12 anni=12
    byte: byte=1 kilobyte=1000 megabyte=1000000 gigabyte=1000000000 terabyte=1000000000000 petabyte=1000000000000000
    bit: kilobit=1000 megabit=1000000 gigabit=1000000000
    l: liter=1 litre=1 deciliter=0.1 decilitre=0.1 centiliter=0.01 centilitre=0.01 milliliter=0.001 millilitre=0.001
    tsp: teaspoon=1 tablespoon=3 cup=48
    gal: gallon=1
    quart: quart=1
    pint: pint=1
    W: watt=1 kilowatt=1000 megawatt=1000000 gigawatt=1000000000 milliwatt=0.001
    Wh: watt_hour=1 kilowatt_hour=1000 megawatt_hour=1000000
    J: joule=1 kilojoule=1000
    cal: calorie=1 kilocalorie=1000
    V: volt=1 kilovolt=1000 millivolt=0.001
    A: ampere=1 amp=1 milliampere=0.001 milliamp=0.001
    Hz: hertz=1 kilohertz=1000 megahertz=1000000 gigahertz=1000000000
    Pa: pascal=1 kilopascal=1000
    N: newton=1
    Ω: ohm=1
    mol: mole=1 millimole=0.001
    dB: decibel=1
    px: pixel=1
    °C: degrees_celsius=1 degree_celsius=1 celsius=1 degrees_c=1 degrees_centigrade=1 grad_celsius=1 deg_c=1
    °F: degrees_fahrenheit=1 degree_fahrenheit=1 fahrenheit=1 degrees_f=1 deg_f=1
    K: kelvin=1
    °: degree=1 grad=1 deg=1
    %: percent=1 per_cent=1 prozent=1 pour_cent=1 por_ciento=1 percento=1 por_cento=1 pct=1 procent=1
    pp: percentage_point=1 prozentpunkte=1
    IU: international_unit=1
    mph: miles_per_hour=1
    km/h: kilometers_per_hour=1 kilometres_per_hour=1 stundenkilometer=1
    m/s: meters_per_second=1 metres_per_second=1
    bit/s: megabits_per_second=1000000
    m^2: square_meter=1 square_metre=1 sq_m=1 quadratmeter=1 square_kilometer=1000000 square_kilometre=1000000
    m^2: square_centimeter=0.0001 square_centimetre=0.0001 hectare=10000
    ft^2: square_foot=1 square_feet=1 sq_ft=1
    mi^2: square_mile=1
    m^3: cubic_meter=1 cubic_metre=1 kubikmeter=1 cubic_centimeter=0.000001 cubic_centimetre=0.000001
    ft^3: cubic_foot=1 cubic_feet=1
    acre: acre=1
    times: times=1 fold=1 x=1
    $: $=1 us$=1 usd=1 dollar=1 us_dollar=1
    €: €=1 eur=1 euro=1
    pound: £=1 gbp=1 pound=1 pounds_sterling=1
    ¥: ¥=1 jpy=1 yen=1
    ₹: ₹=1 inr=1 rupee=1
    CHF: chf=1 franken=1 swiss_franc=1
    CAD: cad=1 c$=1 canadian_dollar=1
    AUD: aud=1 a$=1 australian_dollar=1
    CNY: cny=1 rmb=1 yuan=1 元=1
    cent: cent=1
"""
CURRENCIES = frozenset({"$", "€", "pound", "¥", "₹", "CHF", "CAD", "AUD", "CNY"})
_ATTACHED_ONLY = frozenset({"x", "us", "kb"})  # units only without a space before them: “5 us” is rarely 5 μs

Unit = tuple[str, Decimal]  # base, factor


def _read_table(table: str, plural: bool) -> dict[str, Unit]:
    found: dict[str, Unit] = {}
    for line in table.strip().splitlines():
        base, _, entries = line.strip().partition(": ")
        for entry in entries.split():
            name, _, factor = entry.rpartition("=")
            found[name.replace("_", " ")] = (base, Decimal(factor))
    if plural:
        found |= {name + "s": unit for name, unit in found.items() if len(name) > 2 and not name.endswith("s")}
    return found


SYMBOLS = _read_table(_SYMBOLS, plural=False)
WORDS = _read_table(_WORDS, plural=True)
# Squares and cubes of lengths. Their factors are squared or cubed, too.
_POWERS = {f"{name}^{n}": (f"m^{n}", SYMBOLS[name][1] ** n) for name in ("km", "m", "cm", "mm") for n in (2, 3)}
_POWERS |= {f"ft^{n}": (f"ft^{n}", Decimal(1)) for n in (2, 3)}

_AFTER = re.compile(
    r"([ -]?)((?:US|[AC])\$(?!\d)|°\s?[CFK](?![A-Za-z])|[%‰°元]|[$€£¥₹](?!\d)|[^\W\d_]{1,24})"
    r"(?:\^?([23])(?!\w))?(?:/([A-Za-zμ]{1,5})(?![\w^]))?(?: ([A-Za-z]{1,12})(?!\w))?(?: ([A-Za-z]{4,6})(?!\w))?"
)


def unit_at(text: str, at: int) -> tuple[str, Decimal, int] | None:
    """Return (base unit, factor, end) of the unit that begins at ``text[at]``, or None if there is no unit.

    The position ``at`` is directly after a number.
    """
    match = _AFTER.match(text, at)
    if match is None:
        return None
    gap, word, power, per, second, third = match.groups()
    if third and (unit := WORDS.get(f"{word} {second} {third}".lower())):
        return (*unit, match.end(6))
    if second and (unit := WORDS.get(f"{word} {second}".lower())):
        return (*unit, match.end(5))
    if power:
        found = _POWERS.get(f"{word}^{power}")
        return (*found, match.end(3)) if found else None
    word = word.replace(" ", "")
    if per and word in SYMBOLS and per in SYMBOLS and word != "B":
        base, factor = SYMBOLS[word]
        return f"{base}/{per}", factor, match.end(4)
    simple = SYMBOLS.get(word) or WORDS.get(word.lower())
    if simple is None or (gap == " " and word in _ATTACHED_ONLY):
        return None
    return (*simple, match.end(2))
