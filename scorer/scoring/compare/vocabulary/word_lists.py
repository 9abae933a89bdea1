"""Lists of words by their effect on a statement: negations, hedges, stop words and others."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the set of the words in a text. White space separates the words."""
    return frozenset(text.split())


NEGATIONS = words(
    """
    not no never none nobody nothing nowhere neither nor without cannot hardly barely scarcely seldom rarely
    unable
    nicht kein keine keinen keinem keiner keines nie niemals niemand nichts weder ohne
    pas jamais aucun aucune rien ni sans nunca jamás nadie ningún ninguna ninguno nada sin non nessuno nessuna senza né
    não ninguém nenhum nenhuma sem niet geen nooit niemand niets zonder inte ikke aldrig nigdy bez
    не нет нельзя никогда никто ничего без لا لم لن ليس غير नहीं
    − 不 没 沒 無 无 未 勿 非 别 ません ない なかっ
    """
)
# Words that negate the words after them. Inserting or removing such a word reverses the statement.
AVOIDANCE = words(
    """
    avoid avoids avoided avoiding refuse refuses refrain fail fails failed lack lacks lacked prevent prevents
    unlikely doubtful impossible false incorrect untrue deny denies denied verboten interdit prohibido proibido vietato
    """
)
STOPWORDS = words(
    """
    a an the this that these those of to in on at for from by with as is are was were be been being am it its they
    them their he she his her we us our you your i my me and or but if then so than too very also just which who
    whom whose what when where while there here has have had do does did will would can could into about such both
    each any other another own same 's s t re ve ll d m not no nor
    don doesn didn isn aren wasn won
    der die das den dem des ein eine einen einem einer und oder ist sind war zu von mit im am auf für es er sie
    le la les un une des du de et ou est sont dans en au aux il elle ce el los las una y o es son al del lo que se
    os as uma e é do da na gli i di che per het een van
    的 了 是 在 和 也 都 就 而 与 及 或 这 那 一 个 の は が を に へ と も で て た だ し い
    """
)
# Words that may be capitalised inside a sentence although they are not names.
NOT_NAMES = words(
    """
    i i'm i'll i've ok okay yes no note tip step example answer question summary conclusion overview introduction
    president king queen prince princess senator minister chancellor judge captain general saint st prof lord lady
    figure table chapter section part ai api url html css json xml sql cpu gpu ram usa us uk eu mr mrs ms dr sir
    dear hi hello the a an and or but if in on at for to of with by as is are
    """
)
# Words at the beginning of a sentence. Replacing one of them with another does not change the statement.
CONNECTIVES = words(
    """
    however but although though moreover furthermore besides therefore thus hence consequently overall next then
    finally lastly while since as when because so instead remember note make use try keep choose ensure consider
    check start begin add get create avoid each these those this that also additionally in conclusion summary short
    sum brief general fact example instance addition result
    """
)
# Words that weaken a statement.
HEDGES = words("might may could perhaps possibly allegedly supposedly reportedly apparently maybe")
# Words between the items of a list.
CONNECTORS = words("and or und oder et ou y e o ed en")
# Words that begin a restriction. A text without the restriction makes a stronger statement.
RESTRICTIONS = words(
    "only unless except if without until before after provided solely nur außer ohne sauf seulement solo salvo"
)
# Language labels of code fences.
CODE_LABELS = words(
    """
    python py python3 javascript js typescript ts jsx tsx java c cpp csharp go rust ruby php sql bash sh shell zsh
    console text plaintext json yaml yml toml xml html css scss markdown md kotlin swift scala r perl lua
    dockerfile makefile diff ini latex
    """
)
