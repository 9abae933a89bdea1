"""The vendored browser files: each equals the file in its npm package, and has its licence beside it."""

from __future__ import annotations

import hashlib
import json

from glidepath_ops.console.html import STATIC

VENDOR = STATIC / "vendor"
SOURCES = json.loads((VENDOR / "SOURCES.json").read_text())


def test_each_file_is_the_one_of_its_package() -> None:
    for source in SOURCES:
        assert hashlib.sha256((VENDOR / source["file"]).read_bytes()).hexdigest() == source["sha256"], source["file"]


def test_each_file_is_listed_and_has_its_licence() -> None:
    listed = {source["file"] for source in SOURCES} | {source["license"] for source in SOURCES} | {"SOURCES.json"}
    assert {path.name for path in VENDOR.iterdir()} == listed


def test_no_own_file_has_inline_scripts_or_styles() -> None:
    for path in (STATIC.parent / "templates").glob("*.html"):
        text = path.read_text()
        assert "style=" not in text, path
        assert "onclick" not in text, path
        assert "<script>" not in text, path
        assert "http://" not in text.replace("http://www.w3.org", ""), path
