"""The requests that are remembered for feedback, and the count of those that cannot be stored."""

from __future__ import annotations

from dataclasses import replace

from redis.exceptions import ConnectionError as RedisConnectionError

from extproc.outcome_classification import RequestOutcome
from extproc.served_requests import MAX_WAITING, ServedRequests
from glidepath.feedback_intake import ServedRequest
from glidepath.sides import Origin, Side

GOOD = RequestOutcome("chat", Side.CANDIDATE, Origin.LIVE, 1000)


class MemoryStore:
    def __init__(self) -> None:
        self.kept: list[ServedRequest] = []
        self.room = 10**9
        self.error: Exception | None = None

    async def remember(self, served: list[ServedRequest], now_ms: int) -> int:
        if self.error is not None:
            raise self.error
        fits = served[: self.room]
        self.kept += fits
        return len(served) - len(fits)


async def test_each_request_of_a_client_is_remembered_with_the_side_that_answered() -> None:
    store = MemoryStore()
    requests = ServedRequests({"chat": store})
    requests.note(GOOD, "a")
    requests.note(replace(GOOD, side=Side.BASELINE, error="http_500"), "b")
    requests.note(replace(GOOD, client_abort=True), "c")
    for left_out in (
        replace(GOOD, origin=Origin.SHADOW),
        replace(GOOD, origin=Origin.PROBE),
        replace(GOOD, workload="other"),
        replace(GOOD, failover=True, rescued=True, error="failover"),
    ):
        requests.note(left_out, "d")
    requests.note(GOOD, "")
    await requests.write(2000)
    assert store.kept == [
        ServedRequest("a", Side.CANDIDATE, 1000),
        ServedRequest("b", Side.BASELINE, 1000),
        ServedRequest("c", Side.CANDIDATE, 1000),
    ]
    await requests.write(3000)
    assert len(store.kept) == 3
    assert requests.totals[("chat", "remembered")] == 3


async def test_what_is_not_stored_is_counted_and_nothing_is_raised() -> None:
    store = MemoryStore()
    requests = ServedRequests({"chat": store})
    for i in range(MAX_WAITING + 7):
        requests.note(GOOD, f"r{i}")
    store.room = 9000
    await requests.write(1)
    assert dict(requests.totals) == {("chat", "burst"): 7, ("chat", "full"): 1000, ("chat", "remembered"): 9000}
    store.error = RedisConnectionError("away")
    requests.note(GOOD, "lost")
    await requests.write(2)
    store.error = None
    requests.note(GOOD, "kept")
    await requests.write(3)
    assert requests.totals[("chat", "redis")] == 1
    assert store.kept[-1].request_id == "kept"
