from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from glidepath.errors import InputError
from glidepath.movable_share import COPIES, REFUSED
from glidepath.redis_keys import WorkloadKeys
from glidepath.status_and_decisions import WorkloadStatus, to_json
from glidepath_ops.local.child_process import Child
from tests.support.chat_config import CHAT_CONFIG
from tests.support.commands import run_cli


@pytest.mark.slow
def test_plan_shows_one_line_per_step(config: Path) -> None:
    text = run_cli("plan", "-c", str(config), "--rate", "chat=50")
    assert "chat: 50 requests/s" in text
    assert [line.split("  ")[1] for line in text.splitlines()[2:]][:3] == ["shadow", "1 %", "5 %"]
    assert ("shadow.same_side sets the share" in text) == (" copies" in text.splitlines()[2])


@pytest.mark.slow
def test_plan_shows_the_rules_of_each_step(config: Path) -> None:
    config.write_text(CHAT_CONFIG + "    ramp: {steps: [5, 50, 100], at: {50: {hold: 7d, min_samples: 5000}}}\n")
    head, *rows = run_cli("plan", "-c", str(config)).splitlines()[1:6]
    place = head.index("hold")
    assert [row[place:].split()[:3] for row in rows] == [
        ["2", "d", "200"],
        ["2", "d", "200"],
        ["7", "d", "5000"],
        ["–", "200", "–"],
    ]


@pytest.mark.slow
def test_plan_says_how_much_of_the_time_freeze_windows_cover(config: Path) -> None:
    config.write_text(CHAT_CONFIG + "    ramp: {steps: [5, 100], freeze: [{cron: '0 12 * * *', duration: 6h}]}\n")
    text = run_cli("plan", "-c", str(config), "--rate", "chat=50")
    assert "  freeze windows cover 25% of the next 28 days; the times do not include them" in text.splitlines()


@pytest.mark.slow
def test_plan_as_json(config: Path) -> None:
    found = json.loads(run_cli("plan", "-c", str(config), "--rate", "chat=50", "--json"))
    assert found["workloads"][0]["steps"][0]["percent"] == 0


@pytest.mark.parametrize("rate", ["chat", "chat=", "chat=-1", "chat=0", "chat=nan", "chat=inf", "chat=1e-300"])
def test_plan_refuses_an_invalid_rate(config: Path, rate: str) -> None:
    with pytest.raises(InputError, match="REQUESTS_PER_SECOND"):
        run_cli("plan", "-c", str(config), "--rate", rate)


@pytest.mark.slow
def test_plan_shows_which_share_of_the_requests_can_move(config: Path, redis_server: tuple[Child, int]) -> None:
    url = f"redis://127.0.0.1:{redis_server[1]}/0"
    config.write_text(f'redis: {{url: "{url}"}}\n' + CHAT_CONFIG)
    key = WorkloadKeys("chat").status
    status = WorkloadStatus(
        "chat",
        "shadow",
        *(0, -1, (1, 100), 1, 1),
        error_kinds={REFUSED: 60},
        coverage={"ineligible_context": 100},
        live_answers={COPIES: 900},
    )
    with redis.Redis.from_url(url) as client:
        client.delete(key)
        assert "movable share: not measured yet" in run_cli("plan", "-c", str(config), "--measured")
        client.set(key, to_json(status))
        text = run_cli("plan", "-c", str(config), "--measured")
        as_json = json.loads(run_cli("plan", "-c", str(config), "--measured", "--json"))
        client.delete(key)
    assert "movable share: 84.0%; of 1000 copied requests" in text
    assert "a step above 84% moves no more requests" in text
    assert as_json["workloads"][0]["movable_share"] == pytest.approx(0.84)


def test_plan_refuses_two_rates_for_one_workload(config: Path) -> None:
    with pytest.raises(InputError, match="--rate chat=2: chat is given twice"):
        run_cli("plan", "-c", str(config), "--rate", "chat=1", "--rate", "chat=2")


@pytest.mark.slow
def test_plan_says_whether_all_traffic_could_return_to_the_baseline(config: Path) -> None:
    url = 'cloud: {url: "http://127.0.0.1:9001"'
    config.write_text(CHAT_CONFIG.replace(url, f"{url}, quota: {{requests: 100}}"))
    shown = run_cli("plan", "-c", str(config), "--rate", "chat=50")
    assert "warning: after a rollback to cloud: 3,300 requests a minute of 100" in shown
    (back,) = json.loads(run_cli("plan", "-c", str(config), "--rate", "chat=50", "--json"))["rollback_load"]
    assert (back["backend"], back["fits"], back["requests_quota"]) == ("cloud", False, 100)
