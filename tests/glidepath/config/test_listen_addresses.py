"""Tests of conflicts between the addresses on which the processes listen, on one machine and on several machines."""

from __future__ import annotations

import pytest

from glidepath.config import parse_config
from glidepath.config.listen_addresses import ListenAddress, conflicts, listen_addresses
from glidepath.config.processes import ExtprocSection
from glidepath.errors import ConfigError

KEY = ("extproc", "metrics")
EXCLUSIVE = [
    ("127.0.0.1:1", "127.0.0.1:1"),
    ("127.0.0.1:1", "localhost:1"),
    ("127.0.0.1:1", "0.0.0.0:1"),
    ("[::]:1", "127.0.0.1:1"),
    ("[::1]:1", "[::1]:1"),
    ("unix:/run/a", "unix:/run/a"),
]
COMPATIBLE = [
    ("127.0.0.1:1", "127.0.0.1:2"),
    ("127.0.0.1:1", "127.0.0.2:1"),
    ("127.0.0.1:1", "[::1]:1"),
    ("unix:/run/a", "unix:/run/b"),
    ("unix:/run/a", "0.0.0.0:1"),
]


@pytest.mark.parametrize(("one", "other"), EXCLUSIVE)
def test_two_servers_cannot_have_one_address(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        assert ListenAddress("envoy", KEY, first).excludes(ListenAddress("scorer", KEY, second))


@pytest.mark.parametrize(("one", "other"), COMPATIBLE)
def test_two_servers_can_have_different_addresses(one: str, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        assert not ListenAddress("envoy", KEY, first).excludes(ListenAddress("scorer", KEY, second))


def test_the_default_addresses_of_one_worker_do_not_exclude_each_other(valid_yaml: str) -> None:
    for more in ("", "envoy: {actuator: rtds}\n"):
        assert list(conflicts(listen_addresses(parse_config(valid_yaml + more)), on_one_machine=True)) == []


@pytest.mark.parametrize(
    ("section", "place"),
    [
        ("envoy: {listen: 127.0.0.1:8000, shadow_listen: 127.0.0.1:8000}", "envoy.shadow_listen"),
        ("extproc: {listen: 127.0.0.1:8000, metrics: 127.0.0.1:8000}", "extproc.metrics"),
        ("extproc: {listen: 127.0.0.1:8000, metrics: 127.0.0.1:8001, workers: 2}", "extproc.metrics"),
        ("envoy: {actuator: rtds, rtds_listen: 127.0.0.1:8000}\nscorer: {metrics: 0.0.0.0:8000}", "envoy.rtds_listen"),
    ],
)
def test_a_process_that_would_listen_twice_on_an_address_is_an_error(valid_yaml: str, section: str, place: str) -> None:
    with pytest.raises(ConfigError, match=rf"glidepath.yaml:1[12]: {place}: .* is also used by"):
        parse_config(f"{valid_yaml}{section}\n")


@pytest.mark.parametrize(
    ("section", "second"),
    [
        ("extproc: {metrics: 127.0.0.1:9000}\nscorer: {metrics: 127.0.0.1:9000}", "scorer.metrics"),
        ("extproc: {metrics: 0.0.0.0:9464, workers: 2}", "scorer.metrics"),
        ("envoy: {listen: 0.0.0.0:9464}", "extproc.metrics"),
    ],
)
def test_processes_may_share_an_address_only_on_different_machines(valid_yaml: str, section: str, second: str) -> None:
    listeners = listen_addresses(parse_config(f"{valid_yaml}{section}\n"))
    assert list(conflicts(listeners, on_one_machine=False)) == []
    assert [conflict.second.dotted for conflict in conflicts(listeners, on_one_machine=True)] == [second]


@pytest.mark.parametrize(
    ("metrics", "addresses"),
    [
        ("127.0.0.1:9464", ("127.0.0.1:9464", "127.0.0.1:9465")),
        ("unix:/run/m", ("unix:/run/m", "unix:/run/m.1")),
    ],
)
def test_each_worker_has_its_own_metrics_address(metrics: str, addresses: tuple[str, ...]) -> None:
    assert ExtprocSection(metrics=metrics, workers=2).metrics_addresses == addresses
