"""A real Envoy without any workload: it counts its traffic, stores no credential, and does not affect the clients."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from glidepath.call_classes import CallClass
from tests.support.commands import run_process
from tests.support.observed_envoy import CHAT, observed_envoy
from tests.support.users_envoy import MANAGER

KEYS = ("sk-proj-AAAAbbbbCCCCdddd1111", "sk-proj-EEEEffffGGGGhhhh2222")
USERS_BOOTSTRAP = """
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %ADMIN%}}}
static_resources:
  listeners:
    - name: theirs
      address: {socket_address: {address: 127.0.0.1, port_value: %LISTEN%}}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": %MANAGER%
                stat_prefix: theirs
                route_config:
                  virtual_hosts:
                    - name: all
                      domains: ["*"]
                      routes:
                        - match: {prefix: /}
                          route: {cluster: theirs, timeout: 0s}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
    - name: theirs
      type: STATIC
      load_assignment:
        cluster_name: theirs
        endpoints:
          - lb_endpoints:
              - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %BACKEND%}}}
""".replace("%MANAGER%", MANAGER)


async def test_callers_and_models_are_counted_and_no_key_is_in_redis(tmp_path: Path) -> None:
    async with observed_envoy(tmp_path, inventory={"callers": ["x-team"]}) as running:
        first, second = ({"authorization": f"Bearer {key}"} for key in KEYS)
        for _ in range(5):
            assert await running.ask("gpt-4o", first) == 200
        for _ in range(3):
            assert await running.ask("gpt-4o-mini", second) == 200
        for _ in range(2):
            assert await running.ask("gpt-4o", {"x-team": "etl", **first}) == 200
        assert await running.ask("gpt-4o", {"x-team": "équipe-данные", **first}) == 200
        assert running.backend.last.headers["authorization"] == f"Bearer {KEYS[0]}"
        async with running.session.get(f"{running.live}/v1/models?key={KEYS[1]}") as response:
            assert response.status == 200
        groups = await running.groups(requests=12)
        found = {(model, caller.partition(":")[0]): group for (path, model, caller), group in groups.items()}
        assert {key: group.requests for key, group in found.items()} == {
            ("gpt-4o", "key"): 5,
            ("gpt-4o-mini", "key"): 3,
            ("gpt-4o", "x-team=etl"): 2,
            ("gpt-4o", "x-team=équipe-данные"): 1,
            ("", "key"): 1,  # GET /v1/models
        }
        assert found["gpt-4o", "key"].key.caller != found["gpt-4o-mini", "key"].key.caller
        assert found["", "key"].key.caller == found["gpt-4o-mini", "key"].key.caller  # a key of the query
        assert found["gpt-4o", "key"].latency(0.5) is not None
        assert found["gpt-4o", "key"].key.path == CHAT
        for key in KEYS:
            assert not await running.redis_has(key)
            assert not await running.redis_has(key[-12:])
        assert await running.redis_has("x-team=etl")  # so the search finds what is there


async def test_requests_of_a_workload_and_all_others_count_once_each(tmp_path: Path) -> None:
    chat = {"match": {"path": CHAT, "model": "llama"}, "baseline": "cloud", "candidate": "onprem"}
    async with observed_envoy(tmp_path, workloads={"chat": {**chat, "shadow": {"same_side": 0}}}) as running:
        caller = {"api-key": KEYS[0]}
        for model in ("llama", "llama", "gpt-4o"):
            assert await running.ask(model, caller) == 200
        groups = await running.groups(requests=3)
        found = {model: group for (_, model, _), group in groups.items()}
        assert {model: group.requests for model, group in found.items()} == {"llama": 2, "gpt-4o": 1}
        assert len({caller for _, _, caller in groups}) == 1
        assert (found["llama"].sample.workloads, found["gpt-4o"].sample.workloads) == ({"chat": 2}, {})
        assert not await running.redis_has(KEYS[0])


async def test_clients_are_served_as_before_while_extproc_is_frozen_and_dead(tmp_path: Path) -> None:
    async with observed_envoy(tmp_path) as running:
        running.extproc.signal(signal.SIGSTOP)
        statuses = await asyncio.gather(*(running.ask("gpt-4o", text="word " * 20_000) for _ in range(20)))
        assert set(statuses) == {200}
        running.extproc.signal(signal.SIGCONT)
        running.extproc.kill()
        statuses = await asyncio.gather(*(running.ask("gpt-4o") for _ in range(20)))
        assert set(statuses) == {200}
        assert len(running.backend.received) == 40


async def test_a_users_envoy_is_observed_without_a_route_of_ours(tmp_path: Path) -> None:
    async with observed_envoy(tmp_path, into=USERS_BOOTSTRAP) as running:
        for model in ("gpt-4o", "gpt-4o", "llama"):
            assert await running.ask(model, {"x-api-key": KEYS[0]}) == 200
        async with running.session.get(f"{running.live}/v1/threads/thread_abc123def456gh") as response:
            assert response.status == 200
        groups = await running.groups(requests=4)
        assert {(path, model): group.requests for (path, model, _), group in groups.items()} == {
            (CHAT, "gpt-4o"): 2,
            (CHAT, "llama"): 1,
            ("/v1/threads/{id}", ""): 1,
        }
        assert {group.key.call for group in groups.values()} == {CallClass.INFERENCE, CallClass.STATEFUL}
        status, out, error = await run_process("inventory", "--since", "1h", config=running.file)
        assert (status, error) == (0, "")
        assert "gpt-4o" in out
        assert max(map(len, out.splitlines())) <= 80
