"""The section ``sticky``: where the sticky value of a request is found."""

from __future__ import annotations

from pydantic import Field, model_validator

from glidepath import envoy_names
from glidepath.config.section import Section


class Sticky(Section):
    """The source of a request's sticky value, such as a user id. Give exactly one source.

    Requests with the same sticky value go to the same side. When the candidate's share grows, some values move from the
    baseline to the candidate.

    ``body`` is a key of the request's body: ``user``, ``prompt_cache_key``, or a key of ``metadata`` such as
    ``metadata.user_id``. With ``conversation: true``, a request is sticky by its conversation: by a hash of its
    messages up to the first message of the user. (Later requests of a conversation repeat these messages.) With
    ``body``, the same applies to a request that lacks this key. With ``random: true`` no request is sticky. With
    ``route: true`` a hash policy of your own route decides.

    Without this section, tasks with conversations (chat, tools, auto) are sticky by conversation, and the gates never
    rely on random assignment.
    """

    header: str | None = Field(default=None, pattern=r"^[A-Za-z0-9-]+$")
    cookie: str | None = Field(default=None, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    source_ip: bool = False
    body: str | None = Field(default=None, pattern=r"^(metadata\.)?[A-Za-z0-9_-]{1,40}$")
    conversation: bool = False
    random: bool = False  # true: each request is assigned at random
    route: bool = False  # true: the hash policy of your own route assigns requests

    @model_validator(mode="after")
    def _one(self) -> Sticky:
        given = (self.header is not None, self.cookie is not None, self.source_ip, self.body is not None)
        if sum(given) + self.conversation + self.random + self.route != 1:
            allowed = "header, cookie, source_ip: true, body, conversation: true, random: true, route: true"
            raise ValueError(f"needs exactly one of: {allowed}")
        return self

    @property
    def from_body(self) -> bool:
        """Whether Envoy must read the body to find the sticky value."""
        return self.body is not None or self.conversation

    @property
    def request_header(self) -> str:
        """The request header with the sticky value at the time when Envoy chooses a side.

        The name is in lower case. It is "" if there is no such header.
        """
        if self.from_body:
            return envoy_names.sticky_header(self.body or "")
        return (self.header or "").lower()
