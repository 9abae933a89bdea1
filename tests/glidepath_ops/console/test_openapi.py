"""The description of the HTTP API describes exactly the endpoints that exist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from glidepath_ops.console.app import make_app, make_console
from glidepath_ops.console.openapi import description
from tests.support.console_client import console_config


def described() -> set[tuple[str, str]]:
    return {(path, method.upper()) for path, methods in description()["paths"].items() for method in methods}


def test_every_endpoint_is_described_and_no_other(tmp_path: Path, valid_yaml: str) -> None:
    client: Any = None  # no endpoint is called
    app = make_app(make_console(console_config(tmp_path, valid_yaml, "redis://127.0.0.1:1/0"), client))
    served = {
        (route.path, method)
        for route in app.routes
        if route.path.startswith(("/api/", "/feedback")) and route.path != "/api/openapi.json"
        for method in route.methods - {"HEAD"}
    }
    assert served == described()


def test_the_bodies_are_described_by_valid_schemas() -> None:
    schemas = description()["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    command = Draft202012Validator(schemas["CommandBody"])
    assert command.is_valid({"kind": "rollback", "percent": 5})
    assert not command.is_valid({"kind": "explode"})
    assert not command.is_valid({"kind": "hold", "more": 1})
