"""The shortest valid configuration; its lines end with the workload ``chat``, so that settings can be appended."""

CHAT_CONFIG = """\
backends:
  cloud: {url: "http://127.0.0.1:9001"}
  onprem: {url: "http://127.0.0.1:9002"}
workloads:
  chat:
    match: {path: /v1/chat/completions}
    baseline: cloud
    candidate: onprem
"""
