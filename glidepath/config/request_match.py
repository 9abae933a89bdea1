"""The section ``match``: which requests belong to a workload."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from glidepath.config.backends import HEADER_NAME
from glidepath.config.section import Section

_NOT_RE2 = re.compile(r"\(\?<?[=!]|\(\?P=|\\[1-9]")

PATH = r'^/[!"$->@-~]*$'  # as Envoy compares it: without a query, and with other characters as %XX


class ModelMatch(Section):
    """A condition on the ``model`` in the body of a request. Give exactly one key.

    ``regex`` is read by RE2 and must match the whole name.
    """

    exact: str | None = Field(default=None, min_length=1, max_length=256)
    prefix: str | None = Field(default=None, min_length=1, max_length=256)
    regex: str | None = Field(default=None, min_length=1, max_length=256)

    @field_validator("regex")
    @classmethod
    def _re2(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if found := _NOT_RE2.search(value):
            raise ValueError(f"{found[0]!r} is not known to RE2: it has no look-around and no references to groups")
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"is not a regular expression: {error}") from None
        return value

    @model_validator(mode="after")
    def _one(self) -> ModelMatch:
        if sum(one is not None for one in (self.exact, self.prefix, self.regex)) != 1:
            raise ValueError("needs exactly one of: exact, prefix, regex (or the model's name alone)")
        return self

    @property
    def specificity(self) -> tuple[int, int]:
        kind = 3 if self.exact is not None else 2 if self.prefix is not None else 1
        return kind, len(self.exact or self.prefix or self.regex or "")


def _named_model(value: Any) -> Any:
    return {"exact": value} if isinstance(value, str) else value


class Match(Section):
    """The conditions under which a request belongs to a workload. A request must meet all of them.

    If a request meets the conditions of several workloads, it belongs to the workload with the most specific
    conditions.
    """

    path: str | None = Field(default=None, pattern=PATH)
    path_prefix: str | None = Field(default=None, pattern=PATH)
    host: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)  # header name → exact value
    model: Annotated[ModelMatch | None, BeforeValidator(_named_model)] = None  # in the body; a name: exactly this model

    @field_validator("headers")
    @classmethod
    def _names(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid header name")
        return headers

    @model_validator(mode="after")
    def _one_path(self) -> Match:
        if (self.path is None) == (self.path_prefix is None):
            raise ValueError("needs exactly one of: path, path_prefix")
        return self

    @property
    def specificity(self) -> tuple[int, int, int, int, int, int]:
        """Return a sort key that is larger for more specific conditions.

        The parts of the key are, in this order: whether there is a host, the number of headers, whether the path is
        exact, the length of the path, the kind of condition on the model, and the length of this condition.
        """
        path = self.path or self.path_prefix or ""
        model = self.model.specificity if self.model is not None else (0, 0)
        return (self.host is not None, len(self.headers), self.path is not None, len(path), *model)
