"""Sends updates to open pages by server-sent events. An open page costs one idle connection.

One loop reads and renders each view once a second while at least one page shows it, and all pages get the same text. So
the number of open pages changes neither the reads of Redis nor the work of the scorer. A page that reads too slowly
skips some versions, and gets the newest.

A page gets two other events: ``trouble`` with the reason while the view cannot be rendered, and ``alive`` at least
every PING_S seconds. So the page can say that it shows an old state.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from glidepath.errors import error_text
from glidepath.redisio import being_cancelled

EVERY_S = 1.0
PING_S = 5.0  # longest time between two events; console.js warns after three times this
MOST_PAGES = 500

Render = Callable[[], Awaitable[str]]


class TooManyPagesError(Exception):
    """MOST_PAGES pages are open."""


@dataclass(slots=True)
class _View:
    render: Render
    text: str = ""
    problem: str = ""  # why the newest state could not be rendered
    version: int = 0
    pages: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    task: asyncio.Task[None] | None = None


class LiveViews:
    """The views that open pages show. ``failed`` is called with the error if a view cannot be rendered."""

    def __init__(self, failed: Callable[[Exception], None], every_s: float = EVERY_S) -> None:
        self._views: dict[str, _View] = {}
        self._failed, self._every_s, self._closed = failed, every_s, False

    @property
    def pages(self) -> int:
        return sum(view.pages for view in self._views.values())

    def subscribe(self, name: str, render: Render) -> AsyncIterator[bytes]:
        """Yield the events of a view, beginning with its next change. ``render`` returns the current text of the view.

        Raises TooManyPagesError if ``MOST_PAGES`` pages already receive events.
        """
        if self.pages >= MOST_PAGES:
            raise TooManyPagesError
        return self._events(name, render)

    async def _events(self, name: str, render: Render) -> AsyncIterator[bytes]:
        view = self._views.setdefault(name, _View(render))
        view.pages += 1
        if view.task is None:
            view.task = asyncio.create_task(self._follow(view))
        version, problem = 0, ""
        try:
            yield b"retry: 2000\n\n"
            while await self._changed(view, version, problem):
                if view.version != version and view.problem == problem:
                    version = view.version
                    yield event(view.text)
                else:
                    problem = view.problem
                    yield event(problem, "trouble") if problem else event("ok", "alive")
        finally:
            view.pages -= 1
            if not view.pages:
                self._views.pop(name, None)
                view.task.cancel()

    async def _changed(self, view: _View, version: int, problem: str) -> bool:
        """Wait until the version or the problem differs from these values, for at most PING_S seconds.

        Return whether the page stays open.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PING_S), view.changed:
                await view.changed.wait_for(lambda: view.version != version or view.problem != problem or self._closed)
        return not self._closed

    async def _follow(self, view: _View) -> None:
        while not being_cancelled():
            try:
                text = await view.render()
            except Exception as error:  # the page shows the last state; the next round tries again
                self._failed(error)
                await self._show(view, view.text, f"the console cannot read the state: {error_text(error)[:300]}")
            else:
                await self._show(view, text, "")
            await asyncio.sleep(self._every_s)

    async def _show(self, view: _View, text: str, problem: str) -> None:
        if (text, problem) == (view.text, view.problem):
            return
        async with view.changed:
            view.version += text != view.text
            view.text, view.problem = text, problem
            view.changed.notify_all()

    async def close(self) -> None:
        """End the event streams of all pages, so that the server can stop."""
        self._closed = True
        for view in list(self._views.values()):
            async with view.changed:
                view.changed.notify_all()


def event(text: str, kind: str = "message") -> bytes:
    """Return the text, which is not empty, as one server-sent event: each of its lines is a ``data`` line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    name = "" if kind == "message" else f"event: {kind}\n"
    return (name + "".join(f"data: {line}\n" for line in lines) + "\n").encode("utf-8", "replace")
