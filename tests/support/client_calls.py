"""Make calls with a provider's client, to a backend directly and through Glidepath, and compare the outcomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tests.support.api_backend import ApiBackend
from tests.support.running_system import System

TIMES = 5  # with a split in halves, all five calls go to one side with probability 1 in 16, which is harmless
# Each hop sets the first four itself. Envoy returns the id of a request to which the backend has given none.
_OF_EACH_HOP = ("date", "server", "transfer-encoding", "content-length", "x-request-id")

Call = Callable[[Any], Awaitable[Any]]


@dataclass(slots=True)
class Calls:
    """Two clients of a provider's package, one of which calls through Glidepath. ``errors``: the package."""

    system: System
    cloud: ApiBackend
    onprem: ApiBackend
    errors: ModuleType
    direct: Any
    through: Any

    async def same(self, call: Call, direct: Any = None, through: Any = None) -> list[Any]:
        """Make the call directly and several times through Glidepath. Return the outcomes, which must be equal."""
        clients = [direct or self.direct, *[through or self.through] * TIMES]
        outcomes = [await self._outcome(call, client) for client in clients]
        assert outcomes[1:] == outcomes[:1] * TIMES
        return outcomes

    async def _outcome(self, call: Call, client: Any) -> Any:
        """Return the answer, or the client's error with its status, the headers that clients read, and its body."""
        try:
            answer = await call(client)
        except self.errors.APIStatusError as error:
            return type(error).__name__, error.status_code, headers_of(error.response), error.body, error.message
        except self.errors.APITimeoutError as error:
            return type(error).__name__
        return dumped(answer)


def dumped(answer: Any) -> Any:
    """Return a client's answer as a value that can be compared. For a raw response, it includes the headers."""
    if hasattr(answer, "http_response"):
        return answer.status_code, headers_of(answer), answer.content, dumped(answer.parse())
    return answer.model_dump(warnings=False) if hasattr(answer, "model_dump") else answer


def headers_of(response: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items() if name.lower() not in _OF_EACH_HOP}
