"""The facts that the inventory reads from the bodies of one request and its answer. The bodies are not kept.

This module does no I/O, and its time is bounded. ``body_facts`` runs in a thread if the bodies are large.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from extproc.content_coding import decode
from extproc.copyable_bodies import MOST_PARSED, reason_not_to_copy, without_pictures
from extproc.extproc_errors import DecodeError
from glidepath.call_classes import asks_for_stream
from glidepath.eligibility import RequestFacts, facts_of
from glidepath.inventory.path_patterns import model_in_path
from glidepath.inventory.tally import shape_name
from glidepath.latency import is_streamed
from glidepath.outcome_summaries import Coverage
from glidepath.printable_text import shown_id
from glidepath.read_token_usage import token_usage
from glidepath.token_usage import TokenUsage

MOST_REMEMBERED = 4096  # requests whose repetition is recognised
_FORM_MODEL = re.compile(rb'name="model"\r?\n\r?\n([!-~]{1,256})\r?\n')
_FORM_BYTES = 64 * 1024
# The texts of an answer in the formats of all providers. Two answers are equal if these texts are equal.
_TEXTS = re.compile(
    rb'"(?:content|text|arguments|partial_json|output_text|refusal|delta|response)"\s*+:\s*+"((?:[^"\\]++|\\.)*+)"'
)


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A captured body. ``whole``: whether it is complete. ``encoding``: its content encoding."""

    body: bytes = b""
    content_type: str = ""
    encoding: str = ""
    whole: bool = True

    def read(self, limit: int) -> bytes | None:
        """Return the body without its content encoding, or None if it is incomplete or cannot be decoded."""
        if not self.whole:
            return None
        if not self.encoding or not self.body:
            return self.body
        try:
            decoded = decode(self.body, self.encoding, limit)
        except DecodeError:
            return None
        return None if decoded.cut else decoded.data


@dataclass(frozen=True, slots=True)
class BodyFacts:
    """The facts about one exchange, read from its bodies.

    ``model``: "" if it is not known.
    ``shape``, ``request``: the facts that decide which backend can serve the request. ``request`` is None if its body
    could not be read.
    ``usage``: the tokens; None if the answer could not be read.
    ``repeated``: whether an earlier request was the same and both answers could be compared.
    ``same``: whether these two answers were equal.
    """

    model: str
    streamed: bool
    shape: str = ""
    request: RequestFacts | None = None
    needs_state: bool = False
    acting: bool = False
    usage: TokenUsage | None = None
    repeated: bool = False
    same: bool = False


class RepeatedRequests:
    """Recognises repeated requests, and compares their answers. Only digests are kept.

    The answer to the first request is not kept. The answer to its first repetition is kept, and all later answers are
    compared with that answer.
    """

    def __init__(self, key: bytes, most: int = MOST_REMEMBERED) -> None:
        self._key, self._most = key, most
        # Digest of a request → digest of the texts of its answer; b"" before the first repetition.
        self._answers: OrderedDict[bytes, bytes] = OrderedDict()
        self._lock = Lock()  # small bodies are read in the event loop, large ones in a thread

    def compare(self, model: str, request: bytes, answer: bytes) -> bool | None:
        """Return whether the answer has the same texts as the kept answer to the same request.

        Return None if no answer to this request is kept yet, or if the answer has no texts.
        """
        asked = self._digest(model.encode() + b"\n" + request)
        if self._is_new(asked):
            return None
        texts = b"".join(_TEXTS.findall(answer))
        if not texts:
            return None
        now = self._digest(texts)
        with self._lock:
            known = self._answers.get(asked)
            if not known:
                self._answers[asked] = now
                return None
        return known == now

    def _is_new(self, asked: bytes) -> bool:
        with self._lock:
            if asked in self._answers:
                self._answers.move_to_end(asked)
                return False
            self._answers[asked] = b""
            if len(self._answers) > self._most:
                self._answers.popitem(last=False)
            return True

    def _digest(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()


def body_facts(
    path: str, request: SeenMessage, answer: SeenMessage | None, repeats: RepeatedRequests, limit: int
) -> BodyFacts:
    """Return the facts about one exchange.

    ``answer``: None if the request was not answered with a 2xx status.
    ``limit``: the maximum length of a decoded body in bytes.
    """
    asked = request.read(limit)
    answered = None if answer is None else answer.read(limit)
    streamed = answer is not None and is_streamed(answer.content_type)
    if asked is None:
        return BodyFacts(model_in_path(path), streamed)
    document = _document(asked)
    model = _model(document, asked, path)
    usage = None if answered is None else token_usage(len(asked), answered)
    same = repeats.compare(model, asked, answered) if answered else None
    why = reason_not_to_copy(asked)
    short = without_pictures(asked)
    facts = facts_of(document, len(short), len(asked))
    return BodyFacts(
        model=model,
        streamed=streamed or _asks_for_stream(document, path),
        shape=shape_name(facts.modalities, tools=facts.tools),
        request=facts,
        needs_state=why is Coverage.NEEDS_STATE,
        acting=why is Coverage.HAS_EFFECTS,
        usage=usage,
        repeated=same is not None,
        same=same is True,
    )


def _document(body: bytes) -> object:
    short = without_pictures(body)
    if len(short) > MOST_PARSED or short.lstrip()[:1] != b"{":
        return None
    try:
        return json.loads(short)
    except (ValueError, RecursionError):
        return None


def _model(document: object, body: bytes, path: str) -> str:
    named = document.get("model") if isinstance(document, dict) else None
    if isinstance(named, str) and named:
        return shown_id(named)
    form = _FORM_MODEL.search(body[:_FORM_BYTES]) if document is None else None
    return shown_id(form[1].decode()) if form else model_in_path(path)


def _asks_for_stream(document: object, path: str) -> bool:
    return asks_for_stream(path, document.get("stream") if isinstance(document, dict) else None)
