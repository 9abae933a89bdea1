"""The example of the console with prices, contracts, rules and a drill, for tests and pictures of the report."""

from __future__ import annotations

from typing import Any

import yaml

from glidepath.clock import unix_ms
from tests.support.console_data import decision, store_decisions
from tests.support.console_example import CONFIG, HOUR_MS, store_example, store_history


def report_config(redis_url: str, **changes: Any) -> str:
    """Return the example's configuration as YAML. ``changes`` replace whole sections."""
    found = yaml.safe_load(CONFIG)
    found["redis"] = {"url": redis_url}
    found["costs"] = {"currency": "EUR", "migration": 60_000}
    found["redaction"] = {"builtin": ["email", "card"], "excerpts": 80}
    found["backends"]["cloud"] |= {
        "price": {"input": 2.5, "cached_read": 1.25, "output": 10, "egress": 0.09},
        "contract": {"renewal": "2027-06-30", "notice": "90d", "minimum": 5000},
        "hardware": "provider",
        "region": "eu-central-1",
    }
    found["backends"]["onprem"] |= {
        "price": {"gpu_hour": 2.2, "gpus": 4, "monthly": 2500},
        "hardware": "own",
        "region": "Hamburg",
        "context": 32_768,
    }
    found["workloads"]["chat"]["scoring"] = {"evaluator": {"url": "http://127.0.0.1:9009", "model": "judge"}}
    return yaml.safe_dump({**found, **changes}, sort_keys=False)


async def store_report_example(redis: Any) -> list[str]:
    """Store the example and a drill, and return the ids of the pairs, the newest first."""
    pairs = await store_example(redis)
    await store_history(redis)
    details = {"passed": True, "confirmed_after_ms": 180, "last_request_after_ms": 420, "envoys": 2}
    drill = decision("drill_finished", unix_ms() - 30 * HOUR_MS, reason="restored", actor="Ana", details=details)
    await store_decisions(redis, drill)
    return pairs
