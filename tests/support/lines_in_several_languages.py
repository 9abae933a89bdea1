"""Lines of text in several languages and scripts, in capitals, and without words."""

LINES = (
    "The museum opens at nine and closes at five; tickets are sold at the door.",
    "Das Museum öffnet um neun Uhr und schließt um fünf, Karten gibt es am Eingang.",
    "博物館は午前九時に開きます。入場券は入口で買えます。どうぞお越しください。",
    "THIS IS A NOTICE TO ALL VISITORS: THE MUSEUM CLOSES AT FIVE.",
    "Музей открывается в девять и закрывается в пять.",
    "a1 b2 c3 4 5 6 7 8 9 10 == != <> ()",
)
