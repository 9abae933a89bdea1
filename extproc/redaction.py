"""Redacts bodies before they are written to Redis. The configuration's ``redaction`` section lists the patterns.

A badly written pattern can run forever, and with ``re`` it would block the whole process. The package ``regex`` is used
because it has a time limit and releases Python's global interpreter lock. ``extproc.rewrite_body_strings`` finds the
strings in a body. A body that cannot be read is not stored. See ADR 0023 and ADR 0156.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import regex

from extproc.amazon_event_frames import DamagedFrameError, divide, frame, is_frames, part_of
from extproc.body_text import read_text
from extproc.credential_names import PORT
from extproc.escaped_text import HIDDEN, Apply, rewrite_text
from extproc.extproc_errors import NotRedactedError
from extproc.json_tree import BodyTooComplexError
from extproc.rewrite_body_strings import rewrite_body, rewrite_parts
from glidepath.config.redaction import RedactionSection

TIME_LIMIT_S = 0.25  # for one pattern on one text
BODY_LIMIT_S = 1.0  # for all patterns on all texts of one body
KNOWN_LENGTH, KNOWN_TEXTS = 64, 10_000
MARK = HIDDEN


# IBAN lengths by country, from the SWIFT IBAN registry. Without them, a match would include words after the number.
_IBAN_LENGTHS = {
    15: "NO", 16: "BE", 18: "DK FI FO GL NL", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK", 21: "CH HR LI LV",
    22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
    25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
    29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
}  # fmt: skip
_IBAN_LENGTH = {country: length for length, countries in _IBAN_LENGTHS.items() for country in countries.split()}


def _luhn(text: str) -> int:
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19:
        return 0
    doubled = [d if i % 2 == 0 else (d * 2 - 9 if d > 4 else d * 2) for i, d in enumerate(reversed(digits))]
    return 0 if sum(doubled) % 10 else len(text)


def _iban(text: str) -> int:
    """Return the length of the IBAN at the start of ``text``, or 0 if there is no valid IBAN.

    ISO 13616 sets the length of an IBAN for each country. It also defines a check of the digits: move the first four
    characters to the end, replace each letter by a number (A = 10), and divide by 97. The remainder must be 1.
    """
    length, end = _IBAN_LENGTH.get(text[:2].upper(), 0), 0
    compact = ""
    while len(compact) < length and end < len(text):
        compact += text[end].strip().upper()
        end += 1
    if not length or len(compact) < length:
        return 0
    rearranged = compact[4:] + compact[:4]
    return end if int("".join(str(int(c, 36)) for c in rearranged)) % 97 == 1 else 0


def _octets(text: str) -> int:
    return len(text) if all(int(part) < 256 for part in text.split(".")) else 0


# Name → pattern, and a function that returns how many characters of a match to redact (0: the match is false).
BUILTIN: dict[str, tuple[str, Callable[[str], int]]] = {
    # The user and the password before the host of a URL. A password may contain "@", so it ends at the last "@". In the
    # second form, it also contains a slash or another character that ends a host if the URL is read strictly. This
    # pattern is the first: another pattern could redact a part of the password, and this one would no longer match.
    "url_password": (
        r"(?<=://)(?:[^\s/?#@:\"'<>]{0,4096}+:[^\s/?#\"'<>]{0,4096}"
        rf"|[^\s/?#@:\"'<>\[]{{0,256}}+:(?!{PORT})(?:[^\s\"<>:]|:(?!//)){{1,256}})(?=@[\w\[{{$%<])",
        len,
    ),
    "email": (r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}", len),
    # A phone number must have a plus, brackets or separators, as bare digits are far more often a timestamp or an id.
    "phone": (
        r"(?<![\w.])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){5,12}"
        r"|\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}|\d{3}[ .-]\d{3}[ .-]\d{4})(?!\w)",
        len,
    ),
    "iban": (r"(?<!\w)[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}(?!\w)", _iban),
    "card": (r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.]\d|\w)", _luhn),
    "ipv4": (r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)", _octets),
    # Signed URLs (AWS, Google Cloud Storage, Azure SAS, CloudFront, Alibaba Cloud, Tencent Cloud): whoever has one can
    # read the file that it names.
    "signed_url": (
        r"(?i)https?://[^\s\"'<>?]{1,1000}\?(?:[^\s\"'<>]{0,2000}?[&;])?"
        r"(?:(?:X-(?:Amz|Goog|Oss)-|q-)?Signature|sig)=[^\s\"'<>]{16,8000}",
        len,
    ),
    # Keys whose form is known: OpenAI, Anthropic and others (sk-), AWS, GitHub, GitLab, Slack, Google, Hugging Face,
    # Stripe; JSON web tokens; private keys in PEM.
    "api_key": (
        r"(?<![\w-])(?:sk-(?=[A-Za-z_-]{0,200}\d)[\w-]{20,250}|(?:AKIA|ASIA)[0-9A-Z]{16}(?!\w)|gh[opsur]_\w{36,255}"
        r"|github_pat_\w{22,255}|glpat-[\w-]{20,255}|xox[abeoprs]-[\w-]{10,255}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,255}"
        r"|[rsp]k_(?:live|test)_\w{16,255}|eyJ[\w-]{10,4000}\.eyJ[\w-]{10,8000}\.[\w-]{10,2000})"
        r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{1,16000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?",
        len,
    ),
}


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: Any
    extent: Callable[[str], int]


class Redactor:
    """Applies the configured patterns to bodies. It is thread-safe.

    ``time_limit``: seconds for one pattern on one text. ``body_limit``: seconds for one body.
    """

    def __init__(
        self, section: RedactionSection, time_limit: float = TIME_LIMIT_S, body_limit: float = BODY_LIMIT_S
    ) -> None:
        self._rules: Sequence[_Rule] = [
            *(_Rule(regex.compile(rule[0]), rule[1]) for name, rule in BUILTIN.items() if name in section.builtin),
            *(_Rule(regex.compile(pattern), len) for pattern in section.patterns),
        ]
        self._limit, self._body_limit = time_limit, body_limit
        self.timeouts = 0
        self.unreadable = 0

    def redact(self, body: bytes, content_type: str) -> bytes:
        """Return ``body`` with every match of a pattern replaced by MARK. Without patterns, ``body`` is unchanged.

        Raises NotRedactedError if the body cannot be read, or if the redaction took too long. The body must then not be
        stored.
        """
        if not self._rules or not body:
            return body
        try:
            return _redacted(body, content_type, self._within_limits())
        except (TimeoutError, BodyTooComplexError):
            self.timeouts += 1
            raise NotRedactedError("left out: redaction took too long") from None
        except (DamagedFrameError, UnreadableError):
            self.unreadable += 1
            raise NotRedactedError("left out: it cannot be read, so redaction finds nothing in it") from None

    def redact_path(self, path: str) -> str:
        """Return a path with every match of a pattern replaced by MARK, or "/" if the redaction took too long."""
        try:
            return rewrite_text(path, self._within_limits()) if self._rules else path
        except (TimeoutError, BodyTooComplexError):
            self.timeouts += 1
            return "/"

    def _within_limits(self) -> Apply:
        deadline = time.monotonic() + self._body_limit
        known: dict[str, str] = {}  # the events of a stream repeat their short strings

        def apply(text: str) -> str:
            if (found := known.get(text)) is not None:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError
            rewritten = text
            for rule in self._rules:
                rewritten = rule.pattern.sub(_replacement(rule), rewritten, timeout=self._limit, concurrent=True)
            if len(text) <= KNOWN_LENGTH and len(known) < KNOWN_TEXTS:
                known[text] = rewritten
            return rewritten

        return apply


class UnreadableError(Exception):
    """A body is neither text nor a known binary format."""


def _redacted(body: bytes, content_type: str, apply: Apply) -> bytes:
    if is_frames(body, content_type):
        return _redacted_frames(body, apply)
    read = read_text(body, content_type)
    if read is None:
        raise UnreadableError
    text = rewrite_body(read.text, apply)
    return body if read.exact and text == read.text else text.encode("utf-8", "replace")


def _redacted_frames(body: bytes, apply: Apply) -> bytes:
    frames, rest = divide(body)
    parts = [part_of(payload) for _, payload in frames]
    rewrite_parts(parts, apply)
    texts = (part.text.encode("utf-8", "replace") for part in parts)
    return b"".join(frame(headers, text) for (headers, _), text in zip(frames, texts, strict=True)) + rest


def _replacement(rule: _Rule) -> Callable[[Any], str]:
    def replace(match: Any) -> str:
        found = str(match.group())
        extent = rule.extent(found)
        return MARK + found[extent:] if extent else found

    return replace
