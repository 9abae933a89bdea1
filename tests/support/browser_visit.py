"""Open pages in Debian's Chromium, and record their errors, dialogs and requests to other hosts."""

from __future__ import annotations

import shutil
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Visit:
    """A page, and a record of its problems: errors, dialogs, and requests to other hosts."""

    def __init__(self, browser: Any, url: str, **context: Any) -> None:
        self.url, self.problems = url, list[str]()
        self.page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)
        self.page.on("dialog", lambda dialog: self.problems.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._note_host)

    def _note_host(self, request: Any) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != urlsplit(self.url).netloc:
            self.problems.append(f"request to {request.url}")

    def open(self, path: str) -> Any:
        self.page.goto(self.url + path)
        return self.page

    def log_in(self, path: str) -> Any:
        """Log in as Ana at ``path``, which has the token after ``#``, and return the page of the fleet."""
        page = self.open(path)
        page.fill("#name", "Ana")
        page.click("form.login button")
        page.wait_for_selector("table.fleet")
        return page
