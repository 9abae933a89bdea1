"""Load the fixture files: recorded exchanges (``llamacpp_*``), and others that follow the reference in ``source``."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scorer.scoring.answers import CustomSurface, Expectation, Extracted, Unusable, expectation, extract

CUSTOM = CustomSurface("$.output.text", done="$.end")


@dataclass(frozen=True)
class FixtureExchange:
    name: str
    path: str
    content_type: str
    status: int
    request: bytes
    response: bytes

    def answer(self, **changes: object) -> Extracted | Unusable:
        now = replace(self, **changes)  # type: ignore[arg-type]
        return extract(
            path=now.path,
            content_type=now.content_type,
            status=now.status,
            request_body=now.request,
            response_body=now.response,
            custom=CUSTOM if now.name.startswith("custom") else None,
        )

    def expectation(self) -> Expectation:
        return expectation(self.path, self.request)


def _load(name: str) -> FixtureExchange:
    raw = json.loads((Path(__file__).parent / "fixtures" / f"{name}.json").read_text())
    return FixtureExchange(
        name,
        raw["path"],
        raw["content_type"],
        raw["status"],
        json.dumps(raw["request"]).encode(),
        base64.b64decode(raw["response_base64"]) if "response_base64" in raw else raw["response"].encode(),
    )


@pytest.fixture(scope="session")
def load() -> Callable[[str], FixtureExchange]:
    return _load
