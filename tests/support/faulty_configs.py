"""A correct configuration, and faults in it with their error messages."""

from __future__ import annotations

from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError

GOOD = """\
envoy: {admin: ["http://127.0.0.1:9901"], listen: 127.0.0.1:10000}
redis: {url: redis://127.0.0.1:6379/0}
backends:
  cloud:  {url: "https://api.example.com", model: gpt-4o-mini, credential: {env: CLOUD_API_KEY}}
  onprem: {url: "http://10.0.0.5:8000", model: llama-3.1-8b}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    task: chat
    baseline: cloud
    candidate: onprem
    sticky: {header: x-user-id}
    shadow: {sample: 100, max_in_flight: 32}
    ramp: {steps: [1, 5, 10, 25, 50, 75, 100], hold: 48h, min_samples: 200}
    gates: {sameness: {min_agreement: 0.85}, errors: {max_increase: 0.5%}, latency: {quantile: p99, max_ratio: 1.2}}
"""


# (text to replace, its replacement, a part of the expected error)
WRONG = [
    ("hold: 48h", "hld: 48h", ":14: workloads.chat.ramp.hld: unknown key (did you mean 'hold'?"),
    ("hold: 48h", "hold: 48 parsecs", ":14: workloads.chat.ramp.hold: must be a duration such as"),
    ("hold: 48h", "hold: [1]", ":14: workloads.chat.ramp.hold: must be a duration"),
    (
        "min_samples: 200",
        "min_samples: many",
        ":14: workloads.chat.ramp.min_samples: must be a whole number (got 'many')",
    ),
    ("[1, 5,", "[5, 1,", ":14: workloads.chat.ramp.steps: must rise"),
    ("[1, 5,", "[1.001, 5,", ":14: workloads.chat.ramp.steps: are percent with at most two decimals"),
    (
        "hold: 48h",
        "at: {51: {hold: 7d}}",
        ":14: workloads.chat.ramp: at names 51, which is not a step (allowed: 1, 5, 10, ",
    ),
    ("hold: 48h", "at: {51: {hold: 7d}}", "75, 100; 0 for the shadow)"),
    (
        "hold: 48h",
        "at: {100: {hold: 7d}}",
        ":14: workloads.chat.ramp: at 100, the last step, hold does not apply: set valid",
    ),
    ("hold: 48h", "at: {50: {hld: 7d}}", ":14: workloads.chat.ramp.at.50.hld: unknown key (did you mean 'hold'?"),
    ("hold: 48h", "at: {50: {hold: x}}", ":14: workloads.chat.ramp.at.50.hold: must be a duration"),
    ("hold: 48h", "at: {50: {}}", ":14: workloads.chat.ramp.at.50: needs hold, min_samples, or both"),
    ("hold: 48h", "at: {5: {hold: 1h}, 5.0: {hold: 2h}}", ":14: key 5.0 is given twice"),
    ("hold: 48h", "at: {5: {hold: 1h}, '5': {hold: 2h}}", ":14: workloads.chat.ramp.at: 5 is given twice"),
    (
        "hold: 48h",
        "at: {yes: {hold: 1h}}",
        ":14: workloads.chat.ramp.at: must be a percent of the ramp's steps (got True)",
    ),
    (
        "hold: 48h",
        "at: {half: {hold: 1h}}",
        ":14: workloads.chat.ramp.at: must be a percent of the ramp's steps (got 'ha",
    ),
    ("hold: 48h", "at: {0: {hold: 1h}}, shadow_hold: 2h", ":14: workloads.chat.ramp: shadow_hold and at 0 both set"),
    (
        "candidate: onprem",
        "candidate: onpre",
        ":11: workloads.chat.candidate: unknown backend 'onpre' (did you mean 'onprem'? allowed: cloud",
    ),
    ("candidate: onprem", "candidate: cloud", ":11: workloads.chat.candidate: is 'cloud', the same backend"),
    ("candidate: onprem", "candidate: onprem\n    after: chat", ":12: workloads.chat.after: waits for itself"),
    ("candidate: onprem", "candidate: onprem\n    start: 3", ":12: workloads.chat.start: 3 is not a step of the ramp"),
    (
        "0.5%",
        "5",
        "max_increase: must be a share such as 0.5% or 20%: a number needs a percent sign, such as 5% (got 5)",
    ),
    ("p99", "p98", ":15: workloads.chat.gates.latency.quantile: must be 'p50', 'p95' or 'p99'; did you mean"),
    ("min_agreement:", "min_agreemnt:", ":15: workloads.chat.gates.sameness.min_agreemnt: unknown key"),
    (
        "sample: 100",
        "sample: 101",
        ":13: workloads.chat.shadow.sample: must be a percent from 0 to 100, such as 5 or 0.5% (got 101)",
    ),
    (
        "sample: 100",
        "opt_out: [{header: x-team}, {header: Cookie}]",
        ":13: workloads.chat.shadow.opt_out[1].header: 'cookie' carries a credential, so extproc never reads it",
    ),
    ("{path: /v1/chat/completions}", "{path: v1}", ":8: workloads.chat.match.path: "),
    ("{path: /v1/chat/completions}", "{}", ":8: workloads.chat.match: needs exactly one of: path, path_prefix"),
    ("  chat:\n", "  Chat!:\n", ":7: workloads.Chat!: the name must match"),
    ("    baseline: cloud\n", "", ":7: workloads.chat.baseline: is missing"),
    ('"http://10.0.0.5:8000"', "10.0.0.5:8000", ":5: backends.onprem.url: must be an http:// or https:// URL"),
    ("{env: CLOUD_API_KEY}", "{env: A, file: b}", ":4: backends.cloud.credential: needs exactly one of"),
    ("10.0.0.5:8000", "10.0.0.5:99999", ":5: backends.onprem.url: must be a URL: Port out of range 0-65535"),
    ("127.0.0.1:9901", "127.0.0.1:admin", ":1: envoy.admin[0]: must be a URL: Port could not be cast"),
    ("127.0.0.1:6379", "127.0.0.1:redis", ":2: redis.url: must be a URL: Port could not be cast"),
    ("http://10.0.0.5:8000", "http://[::1", ":5: backends.onprem.url: must be a URL: Invalid IPv6 URL"),
    ("redis://127", "rediss+http://127", ":2: redis.url: must begin with redis://"),
    ("listen: 127.0.0.1:10000", "listen: 127.0.0.1", ":1: envoy.listen: must be HOST:PORT"),
    ('["http://127.0.0.1:9901"]', '["ftp://x"]', ":1: envoy.admin[0]: must be an http:// or https:// URL"),
    ("6379/0}", "6379/2, cluster: true}", ":2: redis: with cluster: true, url must be redis:// or rediss://"),
    ("redis: {", "scorer: {group: a b}\nredis: {", ":2: scorer.group: "),
    ("redis: {", "scorer: {group: 'a:b'}\nredis: {", ":2: scorer.group: "),
    ("redis: {", "envoy: {}\nredis: {", ":2: key 'envoy' is given twice"),
    (
        "max_ratio: 1.2",
        "max_ratio: .inf",
        ":15: workloads.chat.gates.latency.max_ratio: must be a finite number (got .inf)",
    ),
    (
        "max_ratio: 1.2",
        "max_ratio: .nan",
        ":15: workloads.chat.gates.latency.max_ratio: must be a finite number (got .nan)",
    ),
    (
        "min_samples: 200",
        "min_samples: yes",
        ":14: workloads.chat.ramp.min_samples: must be a number, not true or",
    ),
    ("[1, 5,", "[true, 5,", ":14: workloads.chat.ramp.steps: must be a number, not true or false"),
    ("hold: 48h", "hold: 99999999w", ":14: workloads.chat.ramp.hold: must be a duration such as"),
    ("max_ratio: 1.2", "max_ratio: 1" + "0" * 300, ":15: workloads.chat.gates.latency.max_ratio: must be at most 1000"),
    (
        "redis: {",
        "notify: [{kind: slack, url: 'http://x', events: [rolback]}]\nredis: {",
        ":2: notify[0].events[0]: must be 'promote', 'await_approval'",
    ),
    (
        "redis: {",
        "registry: {mlflow: 'http://x', models: {onprm: m}}\nredis: {",
        "unknown backend 'onprm' (did you mean 'onprem'? allowed: cloud",
    ),
    (
        "max_in_flight: 32",
        "budget: {cost: 5}",
        ":13: workloads.chat.shadow.budget.cost: has no effect, because neither cloud",
    ),
    ("latency: {quantile: p99, max_ratio: 1.2}", "latency: [{}, {quantile: p99}]", "p99 of total is given twice"),
    ("{path: /v1/chat/completions}", "{path: /v1, headers: {x y: z}}", ":8: workloads.chat.match.headers: 'x y' is no"),
    ("header: x-user-id", "cookie: 'a;b'", ":12: workloads.chat.sticky.cookie: "),
    ("model: llama-3.1-8b", "strip: v1", ":5: backends.onprem.strip: "),
    ("backends:", "backends: [", "is not YAML"),
]


def config_or_error(text: str) -> Config | str:
    """Return the configuration, or the text of its error."""
    try:
        return parse_config(text)
    except ConfigError as error:
        return str(error)
