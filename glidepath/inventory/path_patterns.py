"""Path patterns, which stand for all paths of the same kind of call, and the model that a path names."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from glidepath.printable_text import shown_id

MOST_PATH = 160  # characters; shown_id cuts a segment at 100
PLACEHOLDER = "{id}"
_AFTER_THESE_COMES_A_MODEL = frozenset({"deployments", "models", "tunedModels", "model", "engines"})
_MODEL = re.compile(r"/(?:deployments|models|tunedModels|model|engines)/([^/?]{1,400})")
_ID = re.compile(
    r"\d+|[0-9a-fA-F]{16,}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|[a-z]{2,16}[_-](?=[A-Za-z]*\d)[A-Za-z0-9]{12,}|(?=[^\d]*\d)[A-Za-z0-9_~+=:-]{32,}"
)


@lru_cache(4096)
def path_pattern(path: str) -> str:
    """Return a path without its query, with ``{id}`` in place of each segment that looks like an id or a secret.

    The segment after ``deployments``, ``models`` and the like is kept, because it is the name of a model.
    """
    segments = path.partition("?")[0][: 4 * MOST_PATH].split("/")
    kept, before = [], ""
    for segment in segments:
        is_id = before not in _AFTER_THESE_COMES_A_MODEL and _ID.fullmatch(segment) is not None
        kept.append(PLACEHOLDER if is_id else shown_id(segment))
        before = segment
    return "/".join(kept)[:MOST_PATH] or "/"


@lru_cache(4096)
def model_in_path(path: str) -> str:
    """Return the model that a path names (Azure, Gemini, Bedrock, KServe), or "" if it names none."""
    found = _MODEL.search(path.partition("?")[0])
    if found is None:
        return ""
    named = unquote(found[1])
    action = re.search(r":[A-Za-z]+$", named)  # Gemini: models/NAME:generateContent
    return shown_id(named[: action.start()] if action else named)
