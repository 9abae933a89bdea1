"""Sends updates to open pages by server-sent events. An open page costs one idle connection.

One loop reads and renders each view once a second while at least one page shows it, and all pages get the same text. So
the number of open pages changes neither the reads of Redis nor the work of the scorer. A page that reads too slowly
skips some versions, and gets the newest.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

EVERY_S = 1.0
PING_S = 15.0  # proxies close idle connections, so a ping is sent this often
MOST_PAGES = 500

Render = Callable[[], Awaitable[str]]


class TooManyPagesError(Exception):
    """MOST_PAGES pages are open."""


@dataclass(slots=True)
class _View:
    render: Render
    text: str = ""
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

        Raises TooManyPagesError.
        """
        if self.pages >= MOST_PAGES:
            raise TooManyPagesError
        return self._events(name, render)

    async def _events(self, name: str, render: Render) -> AsyncIterator[bytes]:
        view = self._views.setdefault(name, _View(render))
        view.pages += 1
        if view.task is None:
            view.task = asyncio.create_task(self._follow(view))
        seen = 0
        try:
            yield b"retry: 2000\n\n"
            while await self._changed(view, seen):
                yield event(view.text) if view.version != seen else b": still here\n\n"
                seen = view.version
        finally:
            view.pages -= 1
            if not view.pages:
                self._views.pop(name, None)
                view.task.cancel()

    async def _changed(self, view: _View, seen: int) -> bool:
        """Wait for a version after ``seen``, for at most PING_S seconds. Return whether the page stays open."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PING_S), view.changed:
                await view.changed.wait_for(lambda: view.version != seen or self._closed)
        return not self._closed

    async def _follow(self, view: _View) -> None:
        while True:
            try:
                text = await view.render()
            except Exception as error:  # the page shows the last state; the next round tries again
                self._failed(error)
            else:
                if text != view.text:
                    async with view.changed:
                        view.text, view.version = text, view.version + 1
                        view.changed.notify_all()
            await asyncio.sleep(self._every_s)

    async def close(self) -> None:
        """End the event streams of all pages, so that the server can stop."""
        self._closed = True
        for view in list(self._views.values()):
            async with view.changed:
                view.changed.notify_all()


def event(text: str) -> bytes:
    """Return the text as one server-sent event: each of its lines is a ``data`` line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return ("".join(f"data: {line}\n" for line in lines) + "\n").encode("utf-8", "replace")
