"""The rights to read and to act, by token, session, proxy or nothing."""

from __future__ import annotations

import pytest

from glidepath.config.console import ConsoleSection, TrustedProxySection, is_loopback
from glidepath.config.urls_and_secrets import Secret
from glidepath.errors import ConfigError
from glidepath_ops.console.access import SESSION_S, Access, ArrivingRequest, Visitor, forged, host_of, person_name

TOKEN = "a-token-of-the-tests"
WITH_TOKEN = ConsoleSection(token=Secret(env="GLIDEPATH_TEST_TOKEN"))
PROXY = ConsoleSection(listen="0.0.0.0:9480", trusted_proxy=TrustedProxySection(addresses=("10.0.0.0/8",)))
NOBODY = Visitor()


def bearer(token: str) -> ArrivingRequest:
    return ArrivingRequest({"authorization": f"Bearer {token}"})


def test_without_a_token_and_a_proxy_everybody_reads_and_nobody_acts() -> None:
    visitor = Access(ConsoleSection()).visitor(ArrivingRequest({}), 0)
    assert visitor.may_read
    assert not visitor.may_act
    assert not Access(ConsoleSection()).visitor(bearer(""), 0).may_act


def test_the_token_lets_its_bearer_read_and_act() -> None:
    visitor = Access(WITH_TOKEN, TOKEN).visitor(bearer(TOKEN), 0)
    assert (visitor.may_read, visitor.may_act, visitor.by_session) == (True, True, False)


@pytest.mark.parametrize("wrong", ["", "x", TOKEN[:-1], TOKEN + "x", "é" * 20])
def test_a_wrong_token_lets_nobody_in(wrong: str) -> None:
    assert Access(WITH_TOKEN, TOKEN).visitor(bearer(wrong), 0) == NOBODY


def test_a_session_names_the_person_until_it_expires() -> None:
    access = Access(WITH_TOKEN, TOKEN)
    facts = ArrivingRequest({}, cookie=access.session("Ana", 1000))
    assert access.visitor(facts, 1000 + SESSION_S - 1) == Visitor("Ana", True, True, by_session=True)
    assert access.visitor(facts, 1000 + SESSION_S) == NOBODY


def test_another_token_ends_the_sessions() -> None:
    cookie = Access(WITH_TOKEN, TOKEN).session("Ana", 1000)
    assert Access(WITH_TOKEN, TOKEN + "2").visitor(ArrivingRequest({}, cookie=cookie), 1000) == NOBODY


@pytest.mark.parametrize("damage", ["", ".", "x.y", "é.é", "====", "QW5h.QW5h"])
def test_a_damaged_session_names_nobody(damage: str) -> None:
    assert Access(WITH_TOKEN, TOKEN).visitor(ArrivingRequest({}, cookie=damage), 0) == NOBODY


def test_only_the_proxy_names_a_person() -> None:
    access = Access(PROXY)
    headers = {"x-forwarded-user": "ana@example.com"}
    assert access.visitor(ArrivingRequest(headers, peer="10.1.2.3"), 0).name == "ana@example.com"
    assert access.visitor(ArrivingRequest(headers, peer="192.0.2.1"), 0) == NOBODY
    assert access.visitor(ArrivingRequest({}, peer="10.1.2.3"), 0) == NOBODY


def test_with_open_reading_a_person_without_a_token_reads() -> None:
    section = WITH_TOKEN.model_copy(update={"open_reading": True})
    visitor = Access(section, TOKEN).visitor(ArrivingRequest({}), 0)
    assert (visitor.may_read, visitor.may_act) == (True, False)


def test_a_short_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIDEPATH_TEST_TOKEN", "short")
    with pytest.raises(ConfigError, match="at least 16 characters"):
        Access.of(WITH_TOKEN)


def test_without_a_token_the_console_listens_on_this_machine_only() -> None:
    with pytest.raises(ValueError, match="token or trusted_proxy must be set"):
        ConsoleSection(listen="0.0.0.0:9480")
    assert ConsoleSection(listen="0.0.0.0:9480", token=Secret(env="T")).authenticates


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/run/x.sock"])
def test_addresses_of_this_machine(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "console.example:1"])
def test_addresses_that_other_machines_reach(address: str) -> None:
    assert not is_loopback(address)


def test_a_foreign_name_of_a_loopback_address_is_refused() -> None:
    access = Access(ConsoleSection())
    assert access.is_known_host(ArrivingRequest({"host": "localhost:9480"}))
    assert access.is_known_host(ArrivingRequest({"host": "[::1]:9480"}))
    assert not access.is_known_host(ArrivingRequest({"host": "rebound.example:9480"}))
    assert not access.is_known_host(ArrivingRequest({}))


def test_a_request_of_another_site_is_recognised() -> None:
    own = {"x-glidepath-console": "1", "host": "a:1", "origin": "http://a:1", "sec-fetch-site": "same-origin"}
    assert not forged(ArrivingRequest(own))
    assert "header" in forged(ArrivingRequest({**own, "x-glidepath-console": ""}))
    assert "site" in forged(ArrivingRequest({**own, "sec-fetch-site": "cross-site"}))
    assert "origin" in forged(ArrivingRequest({**own, "origin": "http://evil"}))


@pytest.mark.parametrize(("text", "name"), [("Ana", "Ana"), (" ana@x ", "ana@x"), ("a\nb", ""), ("<b>", ""), ("", "")])
def test_names_that_the_log_can_show(text: str, name: str) -> None:
    assert person_name(text) == name


def test_host_of_a_header() -> None:
    assert [host_of(h) for h in ("A:1", "a", "[::1]:2", "")] == ["a", "a", "::1", ""]
