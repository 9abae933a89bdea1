"""A request that gives its backend a credential or a remote tool is recognised, and a text about credentials is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extproc.requests_with_credentials import gives_a_credential

HEX = "0123456789abcdef" * 4
MCP = {"type": "mcp", "server_url": "https://crm.example/mcp", "require_approval": "never"}
GIVING: dict[str, Any] = {
    "OpenAI, with a token": {"input": "x", "tools": [{**MCP, "authorization": "T"}]},
    "OpenAI, with headers": {"input": "x", "tools": [{**MCP, "headers": {"X-Own": "T"}}]},
    "Anthropic": {"mcp_servers": [{"type": "url", "url": "https://x", "authorization_token": "T"}]},
    "Azure": {"data_sources": [{"parameters": {"authentication": {"type": "api_key", "key": "T"}}}]},
    "a member": {"messages": [], "Api_Key": "T"},
    "a list": {"authorization": ["Bearer T"]},
    "camel case": {"sessionToken": "T"},
    "an object": {"vertex_credentials": {"private_key_id": "T"}},
    "servers by name": {"mcp_servers": {"crm": {"url": "https://x"}}},
    "a rarer name": {"model": "m", "token": "T0PSECRET"},
    "a long token without digits": {"token": "abcdefghijklmnopqrstuvwxyz"},
    "any token": {"hub_token": "T"},
    "headers of a tool": {"tools": [{"type": "http", "headers": {"Authorization": "Bearer T"}}]},
    "a header of a tool with a name of its own": {"tools": [{"type": "function", "headers": {"X-Crm": "ab12cd34ef"}}]},
    "the second of the headers": {"extra_headers": {"Accept": "application/json", "X-Crm": "ab12cd34ef"}},
    "an Alibaba Cloud URL": {"input": "https://x/y?x-oss-expires=60&x-oss-signature=" + HEX},
    "a Tencent Cloud URL": {"input": f"https://x/y?q-sign-algorithm=sha1&q-signature={HEX}"},
    "credentials": {"credentials": {"user": "T"}},
    "an AWS URL": {"messages": [{"content": [{"image_url": {"url": "https://x/y?a=b&X-Amz-Signature=" + HEX}}]}]},
    "an AWS URL, second form": {
        "url": "https://x/y?AWSAccessKeyId=A&Expires=1&Signature=vjbyPxybdZaNmGa%2ByT272YEAiv4%3D"
    },
    "an AWS session": {"url": "https://x/y?X-Amz-Security-Token=IQoJb3JpZ2luX2VjEXAMPLE1234"},
    "a Google URL in a text": {"messages": [{"content": f"Read https://x/y?X-Goog-Signature={HEX} please"}]},
    "an Azure URL": {"input": "https://x.blob.core.windows.net/y?sv=2024&sig=9k%2FabcDEF0123456789abcdefghijk%3D"},
    "a CloudFront URL": {"input": f"https://x/y?Policy=e30_&Signature={HEX}&Key-Pair-Id=K2JCJMDEHXQW5F"},
    "a URL in a URL": {"input": "https://x/?to=https%3A%2F%2Fy%2F%3FX-Amz-Signature%3D" + HEX},
    "a URL in HTML": {"input": f"<a href='https://x/y?a=b&amp;sig={HEX}'>"},
    "a URL with a token": {"input": "https://x/y?access_token=abcdefgh12345678"},
    "a password before a host": {"tools": [{"type": "x", "server_url": "https://crm:hunter2@crm.example/tools"}]},
    "a password in a text": {"messages": [{"content": "Connect to postgres://app:Tr0ub4dor@db.example:5432/x."}]},
    "a token before a host": {"input": "clone https://ghp_0123456789abcdefABCDEF@github.com/a/b"},
    "a long token as a password": {"input": f"pip install --index-url https://u:ya29.{HEX * 40}@pkg.example/simple"},
    "a password with the marks of placeholders": {"input": "postgres://app:$up3r{S}ecret9@db.example/x"},
    "a password that looks like a variable": {"input": "postgres://app:$ecret@db.example/x"},
    "a password with an at sign": {"input": "postgres://app:p@ssw0rd@db.example/x"},
    "a password with a slash": {"input": "Use postgres://app:Tr0ub/4dor@db.example:5432/x."},
    "a password with a quote and a hash": {"input": "mysql://app:Tr0ub'4#dor?@db.example/x"},
    "a password before a variable": {"input": "postgres://app:hunter2@${DB_HOST}/x, redis://:hunter2@{host}"},
    "a token without a password": {"input": "curl https://sk_live_0123456789abcdef:@api.example/v1"},
    "an escaped password": {"input": "https%3A%2F%2Fa%3Ahunter2%40x.example%2Fy"},
    "a nested member": {"extra": [{"deep": {"password": "T"}}]},
}
HARMLESS: dict[str, Any] = {
    "a chat": {"messages": [{"role": "user", "content": "What is an authorization token, a key, a secret?"}]},
    "JSON in a text": {"messages": [{"role": "user", "content": '{"api_key": "T", "type": "mcp"}'}]},
    "a schema": {"tools": [{"function": {"parameters": {"properties": {"password": {"type": "string"}}}}}]},
    "an empty value": {"api_key": "", "password": None, "secret": []},
    "names in lists": {"required": ["password", "secret"], "authorization": 1},
    "tokens": {"max_tokens": 5, "stop_token": "x", "keys": ["a"], "token_count": "12", "next_page_token": "abc12345"},
    "a number": {"token": 12345678, "password": 1, "usage": {"prompt_tokens": 5}},
    "log probabilities": {"input": [{"logprobs": [{"token": "constitutional1", "logprob": -0.1, "bytes": [1]}]}]},
    "a token before its probability": {"x": [{"logprob": -0.1, "token": "constitutional1"}]},
    "a token of a stream": {"token": {"id": 5, "text": "x"}, "details": {"token": "Hi"}},
    "a type": {"password": "string", "authentication": {"type": "object", "properties": {}}},
    "a kind": {"auth": "oauth"},
    "a placeholder": {"messages": [{"content": "GET /x?access_token=YOUR_ACCESS_TOKEN_HERE&sig=<signature>"}]},
    "code": {"messages": [{"content": "x.signature=compute_signature_2(a); token=abcdefgh12345678"}]},
    "a question": {"messages": [{"content": "What does X-Amz-Signature= mean? And the password: 'hunter2'?"}]},
    "placeholders before a host": {
        "messages": [
            {"content": "https://user:pass@host, postgres://u:${PW}@db/x, ftp://a:<password>@h, x://a:***@h"},
            {"content": "https://user:$PASSWORD@host/, mongodb://u:••••@h1:27017,h2:27017/x and p://%s:%s@%s/d, a@b.c"},
        ]
    },
    "ports and paths with an at sign": {
        "input": "docker://localhost:5000/x@sha256:ab http://h:80/?m=a@b http://h:%s/x@1"
    },
    "ports of IPv6 and of variables": {
        "input": "http://[::1]:8080/a@b http://h:$PORT/a@1 x://h:${P}/a@b 'a://h:1','c@d'"
    },
    "a user before a host": {"messages": [{"content": "ssh://git@github.com/a/b and https://x.example/@user:1 a@b.c"}]},
    "a plain URL": {"messages": [{"content": "https://x/y?page=2&sort=name&session_length=1234567890123456"}]},
    "a signed thought": {"messages": [{"content": [{"type": "thinking", "signature": HEX}]}]},
    "headers without a secret": {"headers": {"Accept": "application/json, text/plain", "X-Team": "blue", "X-N": ""}},
    "a schema of headers": {"properties": {"headers": {"type": "object", "description": "such as X-Trace: 1"}}},
    "ids": {"key": HEX, "prompt_cache_key": HEX, "tool_use_id": HEX},
}
FORMS = {
    "a form": b"prompt=x&api_key=T",
    "an escaped name": b"prompt=x&api%5Fkey=T",
    "a form of many lines": b"prompt=x\r\npassword=T\r\n",
    "JSON in a form": b"payload=%7B%22password%22%3A%22T%22%7D",
    "a URL in a form": b"image=https%3A%2F%2Fx%2Fy%3Fsig%3D0123456789abcdef0123",
    "a part": b'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nT\r\n--b--\r\n',
    "a part whose name has a hyphen": b'--b\r\nContent-Disposition: form-data; name="pass-word"\r\n\r\nT\r\n--b--\r\n',
    "a part with a type": b"--b\nContent-Disposition: form-data; name=token\nContent-Type: a/b\n\nT0PSECRET\n--b--",
}
HARMLESS_FORMS = {
    "a form": b"prompt=What+is+a+password%3F&max_tokens=5&token_count=12&password=",
    "a part": b'--b\r\nContent-Disposition: form-data; name="file"; filename="password"\r\n\r\nx\r\n--b--\r\n',
    "a text": b"What is an api_key, and what a password?",
}
# A search whose cost is quadratic would take hours for these.
LARGE = {
    "escapes": (b'{"a":"' + b"\\u0041" * 600_000 + b'"}', True),
    "percents": (b"a=token" + b"%41" * 1_200_000, True),
    "parts": (b"--b\r\n" + b"content-disposition: ; name=my_token\r\n" * 100_000, False),
    "names in one line": (b"--b\r\ncontent-disposition:" + b"; name=my_token" * 250_000, False),
    "candidates": (b"max_token=a&" * 300_000, True),
    "quotes": (b'"' * 4_000_000 + b"token", False),
    "quotes and spaces": (b'" ' * 2_000_000 + b"token", False),
    "headers": (b'"headers":{' * 400_000, True),
    "names of headers": (b'"headers":{' + b'"a":"b",' * 500_000, False),
    "users before a host": ((b"://" + b"a" * 250 + b":" + b"b" * 250) * 8_000 + b" @", False),
    "long users before a host": ((b"://" + b"a" * 4_000 + b":" + b"b" * 4_000) * 500 + b" @", False),
    "at signs before no host": ((b"://:" + b"@" * 4_000) * 1_000, False),
    "an endless password": (b"://:" * 20_000 + b"b" * 4_000_000 + b"@", False),
    "passwords with slashes": ((b"://u:" + b"/" * 250) * 16_000 + b" @", False),
    "passwords with colons": (b"://u:/" + b":" * 4_000_000 + b" @", False),
    "beginnings without an end": (b"://:/" * 800_000 + b"@", False),
    "placeholders before a host": (b"://u:pass@h" * 300_000, True),
    "one long name": (b'{"' + b"a" * 4_000_000 + b'token": "T"}', True),
}


@pytest.mark.parametrize("name", GIVING)
@pytest.mark.parametrize("dump", [json.dumps, lambda body: json.dumps(body, indent=2)], ids=["one line", "indented"])
def test_a_body_that_gives_a_credential_is_found(name: str, dump: Any) -> None:
    assert gives_a_credential(dump(GIVING[name]).encode())


@pytest.mark.parametrize("name", HARMLESS)
def test_a_body_that_only_mentions_credentials_is_not_found(name: str) -> None:
    assert not gives_a_credential(json.dumps(HARMLESS[name]).encode())


@pytest.mark.parametrize("name", FORMS)
def test_a_form_that_gives_a_credential_is_found(name: str) -> None:
    assert gives_a_credential(FORMS[name])


@pytest.mark.parametrize("name", HARMLESS_FORMS)
def test_a_form_without_a_credential_is_not_found(name: str) -> None:
    assert not gives_a_credential(HARMLESS_FORMS[name])


@pytest.mark.parametrize("name", LARGE)
def test_a_large_body_is_searched_or_counts_as_a_finding(name: str) -> None:
    body, finding = LARGE[name]
    assert gives_a_credential(body) is finding


def test_a_password_before_a_host_is_found_if_slashes_are_escaped() -> None:
    assert gives_a_credential(rb'{"url": "https:\/\/crm:hunter2@crm.example\/tools"}')


@given(st.sampled_from(sorted(GIVING)), st.data())
def test_escapes_hide_nothing(name: str, data: st.DataObject) -> None:
    text = json.dumps(GIVING[name])
    places = [at for at, char in enumerate(text) if char.isalpha()]
    for at in sorted(data.draw(st.sets(st.sampled_from(places))), reverse=True):
        text = f"{text[:at]}\\u{ord(text[at]):04x}{text[at + 1 :]}"
    assert json.loads(text) == GIVING[name]
    assert gives_a_credential(text.encode())


@given(st.text())
def test_no_text_of_a_user_is_a_finding(content: str) -> None:
    assert not gives_a_credential(json.dumps({"messages": [{"content": content}]}).encode())


def test_a_body_in_utf_16_or_utf_32_is_a_finding() -> None:
    harmless = json.dumps(HARMLESS["a chat"])
    for coding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"):
        assert gives_a_credential(harmless.encode(coding)), coding
