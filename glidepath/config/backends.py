"""The ``backends`` section: URL, credential, limits and price of each backend, and the changes to its requests."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from glidepath.config.prices import BackendPrice, Contract
from glidepath.config.section import MOST, Section
from glidepath.config.units import Duration, Size
from glidepath.config.urls_and_secrets import BaseUrl, HttpUrl, UrlWithoutUser

WHOLE_ANSWER_S = 600.0
Modality = Literal["text", "image", "audio", "video", "file"]
Protocol = Literal["auto", "http1", "http2"]
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VISIBLE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")  # characters allowed in a header's value (RFC 9110, 5.5)
_FRAMING = ("host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer")


def _header_value(value: str) -> str:
    if not _VISIBLE.fullmatch(value):
        raise ValueError("must not contain line breaks or other control characters")
    return value


Prefix = Annotated[str, StringConstraints(strip_whitespace=False), AfterValidator(_header_value)]


def _header_pattern(value: str) -> str:
    if not HEADER_NAME.fullmatch(value.removesuffix("*")) or "*" in value[:-1]:
        raise ValueError(f"{value!r} is neither the name of a header nor the beginning of one, followed by *")
    return value.lower()


HeaderPattern = Annotated[str, AfterValidator(_header_pattern)]
KEEP = "keep"  # a backend's ``model``: requests keep the name that the client sent


def _without_keep(value: str | None) -> str | None:
    return None if value == KEEP else value


ModelName = Annotated[str | None, AfterValidator(_without_keep)]


class Credential(Section):
    """The credential of a backend.

    Give exactly one of ``env``, ``file`` and ``passthrough``. ``env`` names an environment variable that holds the
    credential. ``file`` names a file that holds it; Envoy reads the file again when the file changes. Envoy sends such
    a credential with live requests and with copies. With ``passthrough: true``, a live request keeps the client's own
    credential, and a copy has no credential.
    """

    env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: str | None = None
    passthrough: bool = False
    header: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$"), AfterValidator(str.lower)] = "authorization"
    prefix: Prefix = "Bearer "  # put before the value, if the header is authorization

    @model_validator(mode="after")
    def _exactly_one(self) -> Credential:
        if (self.env is not None) + (self.file is not None) + self.passthrough != 1:
            raise ValueError("needs exactly one of: env, file, passthrough: true")
        return self


class ClientCert(Section):
    """The certificate that Envoy presents to an https backend, and its private key: paths of PEM files.

    The certificate file may contain intermediate certificates after the certificate. Envoy reads both files at its
    start.
    """

    cert: str
    key: str


class Capacity(Section):
    """The source of the backend's load, and the limit on this load.

    The scorer reads the load from the backend's own Prometheus page (``metrics`` and ``metric``), or asks a Prometheus
    server (``prometheus`` and ``query``, in PromQL). ``limit`` is the largest acceptable load, in the same unit.
    """

    metrics: HttpUrl | None = None
    metric: str | None = None  # e.g. vllm:gpu_cache_usage_perc
    prometheus: BaseUrl | None = None
    query: str | None = None
    limit: float = Field(gt=0)

    @model_validator(mode="after")
    def _one_source(self) -> Capacity:
        page = self.metrics is not None and self.metric is not None
        query = self.prometheus is not None and self.query is not None
        if page == query:
            raise ValueError("needs either metrics and metric, or prometheus and query")
        return self


class Quota(Section):
    """The provider's limits for a backend, per minute: on requests, and on tokens of requests and answers together."""

    requests: int | None = Field(default=None, ge=1, le=MOST)
    tokens: int | None = Field(default=None, ge=1, le=MOST * 1000)

    @model_validator(mode="after")
    def _one(self) -> Quota:
        if self.requests is None and self.tokens is None:
            raise ValueError("needs requests, tokens, or both")
        return self


class OutlierDetection(Section):
    """Settings for Envoy's outlier detection: Envoy itself stops sending live requests to a failing candidate.

    After ``failures`` failures in a row, an endpoint gets no requests for ``time``. Failures are a 5xx, a reset before
    the answer, a refused connection, and no first byte in time. Envoy does not notice an answer that breaks off, or an
    error in a 200.
    """

    failures: int = Field(default=5, ge=1, le=1000)
    time: Duration = Field(default=10, ge=1, le=300)


class Backend(Section):
    """A server that answers AI requests.

    Give exactly one of ``url`` and ``cluster``. ``url`` may end with a path, such as ``/v2``. Envoy removes ``strip``
    from the start of the client's path, then puts the path of ``url`` before the rest. ``cluster`` is the name of a
    cluster that already exists in Envoy. The cluster's own settings apply (TLS, limits, health checks), and ``host`` is
    the Host header of requests to it.

    If an answer is not streamed, its first byte is sent only when the whole answer has been generated. So
    ``first_byte_timeout`` is meant for streams, and ``answer_timeout`` for all other answers. To tell them apart, Envoy
    must read the request. Envoy does so if ``answer_timeout`` is set, and for workloads whose requests it reads anyway.
    For these workloads, the default of ``answer_timeout`` is 10 minutes, unless ``first_byte_timeout`` is set. In all
    other cases, ``first_byte_timeout`` applies to all answers.

    A candidate with its own credential gets only two kinds of clients' headers: those that Glidepath knows to hold no
    credential, session or address (such as content-type, user-agent and anthropic-beta), and those in ``pass_headers``.
    An entry of ``pass_headers`` is a name, or the beginning of names, such as ``x-acme-*``. A candidate without any
    credential, and a baseline with its own credential, get all headers except those with a credential, unless
    ``pass_headers`` is set.

    With ``model: keep``, as without ``model``, a request keeps the model's name that the client sent. So the backend
    must serve its model under this name, and then its answers have this name too. A ``model`` of its own also replaces
    a tuned model of Gemini: the path ``…/tunedModels/NAME:…`` becomes ``…/models/MODEL:…``.
    Messages of gRPC keep their model: a candidate with a ``model`` of its own gets no gRPC calls.

    When a conversation changes its side, its requests contain data that the other server has made: reasoning that is
    signed or encrypted, and ids of tool calls. ``foreign_reasoning`` says what the backend does with these data. With
    ``refuses``, a candidate gets no request with signed reasoning. Use it for a candidate that does not sign reasoning
    itself. With ``strip``, Envoy removes the reasoning and gives the calls ids that every server accepts. For a
    candidate and for a rescue, Envoy always does so. For a baseline, or a candidate without fallback, Envoy does so
    only after the backend has refused the request with 400, 404 or 422.
    """

    url: UrlWithoutUser | None = None
    cluster: str | None = Field(default=None, pattern=r"^[!-~]+$")
    model: ModelName = None  # replaces the model in the body, and in the path of Azure, Gemini, Bedrock, KServe
    credential: Credential | None = None
    headers: dict[str, str] = Field(default_factory=dict)  # extra request headers
    pass_headers: tuple[HeaderPattern, ...] | None = None  # more client headers that the backend gets; see above
    strip: str = Field(default="", pattern=r"^(/.*)?$")  # a prefix to remove from the client's path, e.g. /v1
    host: str | None = None  # Host header; absent: the URL's host
    sni: str | None = None  # TLS server name; absent: the host
    ca_file: str | None = None  # file of trusted certificate authorities; absent: those of the system
    client_cert: ClientCert | None = None
    protocol: Protocol = "auto"  # auto: http1, or what TLS negotiates; http2: needed for gRPC, even without TLS
    connect_timeout: Duration = Field(default=2, gt=0)
    first_byte_timeout: Duration = Field(default=30, gt=0)  # limit of each attempt; after it, Envoy tries the fallback
    answer_timeout: Duration | None = Field(default=None, gt=0)  # the same for answers that are not streamed; see above
    idle_timeout: Duration = Field(default=3600, gt=0)  # maximum pause between two bytes of an answer
    max_connections: int = Field(default=1024, ge=1, le=MOST)
    max_requests: int = Field(default=1024, ge=1, le=MOST)
    max_pending: int = Field(default=256, ge=1, le=MOST)  # maximum requests that wait for a connection
    outlier_detection: OutlierDetection | None = None  # when Envoy stops using it as a candidate; absent: never
    # What the backend can serve. A candidate gets no other requests and no other copies (glidepath/eligibility.py).
    context: int | None = Field(default=None, ge=1, le=MOST)  # maximum length of prompt and answer together, in tokens
    modalities: tuple[Modality, ...] | None = None  # modalities besides text that it reads and writes; absent: all
    tools: bool = True  # whether it can call tools
    max_body: Size | None = Field(default=None, ge=1)  # maximum length of a request's body
    foreign_reasoning: Literal["accepts", "refuses", "strip"] = "accepts"  # for others' reasoning; see above
    quota: Quota | None = None  # its provider's limits: no step is taken if it, or its rollback, would exceed them
    price: BackendPrice | None = None
    contract: Contract | None = None  # contract with its provider; absent: none to renew
    hardware: Literal["own", "provider"] | None = None  # owner of the hardware, for the report; absent: not declared
    tokenizer: str | None = None  # its model's tokenizer.json, to count tokens that answers omit
    region: str = ""  # place of its data processing, for the report, such as "eu-central-1, Frankfurt"
    capacity: Capacity | None = None

    @model_validator(mode="after")
    def _url_or_cluster(self) -> Backend:
        if (self.url is None) == (self.cluster is None):
            raise ValueError("needs exactly one of: url, cluster")
        if self.cluster is not None and self.host is None:
            raise ValueError("cluster needs host: the Host header of requests to it")
        return self

    @model_validator(mode="after")
    def _client_cert_with_tls(self) -> Backend:
        if self.client_cert is not None and self.cluster is not None:
            raise ValueError("client_cert needs url: an existing cluster has its own TLS settings")
        if self.cluster is not None and self.protocol != "auto":
            raise ValueError("protocol needs url: an existing cluster has its own protocol")
        if self.client_cert is not None and not str(self.url).startswith("https:"):
            raise ValueError("client_cert needs a url that starts with https")
        return self

    @model_validator(mode="after")
    def _outlier_detection_with_url(self) -> Backend:
        if self.outlier_detection is not None and self.cluster is not None:
            raise ValueError("outlier_detection needs url: an existing cluster has its own settings")
        return self

    def whole_answer_timeout(self, *, is_read: bool) -> float:
        """Return the time limit in seconds for an answer that is not streamed.

        ``is_read``: whether Envoy reads the workload's requests.
        """
        if self.answer_timeout is not None:
            return self.answer_timeout
        unset = "first_byte_timeout" not in self.model_fields_set
        return WHOLE_ANSWER_S if is_read and unset else self.first_byte_timeout

    @property
    def address(self) -> str:
        """The URL or the name of the cluster. Two backends with different addresses are different servers."""
        return self.url or self.cluster or ""

    @field_validator("headers")
    @classmethod
    def _sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is not a valid header name")
            if name.lower() in _FRAMING:
                raise ValueError(f"{name!r} is set by Envoy (use the key host for the Host header)")
            _header_value(value)
        return headers
