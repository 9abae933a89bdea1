"""The remote engine against a local HTTP server: batches, retries, malformed replies."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.config.processes import EmbedderSection
from glidepath.errors import UnreachableError
from scorer.scoring.embed import embed_texts
from scorer.scoring.embed.remote_engine import RemoteEmbedder, ReplyError, read_reply


class Server:
    """An embeddings server that replies with the listed statuses first and then successfully."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.requests: list[dict] = []
        self.credentials: list[str | None] = []
        self.shuffled = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.requests.append(body)
                outer.credentials.append(self.headers.get("authorization"))
                status = outer.statuses.pop(0) if outer.statuses else 200
                rows = [{"index": i, "embedding": [len(t), 1.0]} for i, t in enumerate(body["input"])]
                data = json.dumps({"data": rows[::-1] if outer.shuffled else rows}).encode()
                self.send_response(status)
                for name, value in (outer.headers if status != 200 else {}).items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


class Time:
    """A clock that only advances during pauses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@pytest.fixture
def time():
    return Time()


def engine(server, time, **settings) -> RemoteEmbedder:
    section = EmbedderSection(engine="remote", url=server.url, model="m", **({"timeout": "5s"} | settings))
    return RemoteEmbedder(section, pause=time.pause, clock=time.clock)


def test_texts_are_sent_in_batches_and_unit_vectors_are_returned_in_order(server, time):
    server.shuffled = True
    vectors = engine(server, time, batch=2).embed(["a", "bb", "ccc"])
    assert [r["input"] for r in server.requests] == [["a", "bb"], ["ccc"]]
    assert {r["model"] for r in server.requests} == {"m"}
    assert np.allclose(vectors, [[n / np.hypot(n, 1), 1 / np.hypot(n, 1)] for n in (1, 2, 3)])
    assert vectors.dtype == np.float32


def test_requests_to_an_overloaded_server_are_repeated_with_growing_pauses(server, time):
    server.statuses = [503, 429, 500]
    assert engine(server, time).embed(["a"]).shape == (1, 2)
    assert len(time.pauses) == 3
    assert time.pauses[0] <= 0.2 < time.pauses[2] <= 0.8


def test_the_pause_is_the_servers_retry_after(server, time):
    server.statuses, server.headers = [429], {"retry-after": "3"}
    engine(server, time).embed(["a"])
    assert time.pauses == [3.0]


def test_a_failing_server_is_unreachable_after_twice_the_timeout_and_named_in_the_error(server, time):
    server.statuses = [503] * 100
    with pytest.raises(UnreachableError, match=rf"scorer\.embedder\.url: {server.url}/v1/embeddings: HTTP 503"):
        engine(server, time).embed(["a"])
    assert 5 < time.now <= 10


def test_a_refused_connection_is_unreachable(time):
    section = EmbedderSection(engine="remote", url="http://127.0.0.1:1", model="m", timeout="1s")
    with pytest.raises(UnreachableError, match="refused"):
        RemoteEmbedder(section, pause=time.pause, clock=time.clock).embed(["a"])


@pytest.mark.parametrize("status", [400, 401, 404, 413])
def test_a_rejected_request_is_not_repeated(server, time, status):
    server.statuses = [status]
    with pytest.raises(UnreachableError, match=f"HTTP {status}"):
        engine(server, time).embed(["a"])
    assert len(server.requests) == 1


def test_the_credential_does_not_follow_a_redirect(server, time, tmp_path):
    (tmp_path / "key").write_text("s3cret\n")
    server.statuses, server.headers = [302], {"location": f"{server.url}/elsewhere"}
    with pytest.raises(UnreachableError, match="HTTP 302"):
        engine(server, time, credential={"file": str(tmp_path / "key")}).embed(["a"])
    assert server.credentials == ["Bearer s3cret"]


def test_an_empty_text_and_a_lone_surrogate_are_replaced_by_text_that_servers_accept(server, time):
    engine(server, time).embed(["", "\ud800"])
    assert server.requests[0]["input"] == [" ", "\ufffd"]


def test_long_texts_are_chunked_by_a_high_token_estimate(server, time):
    (vectors,) = embed_texts(engine(server, time), ["internationalisation " * 200])
    assert len(vectors) == 4
    assert server.requests[0]["input"][0].endswith("internationalisation")


@pytest.mark.parametrize(
    "reply",
    [b"", b"[]", b"{}", b'{"data": 3}', b'{"data": [{"embedding": []}]}', b'{"data": [{"embedding": [0, 0]}]}',
     b'{"data": [{"index": 9, "embedding": [1]}]}', b'{"data": [{"embedding": ["x"]}]}', b'{"data": []}',
     b'{"data": [{"embedding": [1]}, {"index": 0, "embedding": [1]}]}', b'{"data": [{"embedding": [NaN, 1]}]}'],
)  # fmt: skip
def test_a_malformed_reply_is_a_reply_error(reply):
    with pytest.raises(ReplyError, match="reply"):
        read_reply(reply, 1)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["data", "index", "embedding"]), inner),
    max_leaves=12,
)


@pytest.mark.slow
@given(json_values | st.fixed_dictionaries({"data": json_values}), st.integers(1, 3))
def test_any_json_reply_gives_vectors_or_a_reply_error(value, count):
    with contextlib.suppress(ReplyError):
        assert read_reply(json.dumps(value).encode(), count).shape[0] == count
