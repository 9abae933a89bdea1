"""Generates the alert rules in the form of the Prometheus operator from deploy/prometheus/alerts.yml.

``python -m glidepath_ops.monitoring.prometheus_rule`` prints deploy/kubernetes/monitoring/alerts.yaml.
"""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

ALERTS = Path("deploy", "prometheus", "alerts.yml")
_HEAD = """\
# The alert rules of deploy/prometheus/alerts.yml for the Prometheus operator. Written by `make reference`.
# Your Prometheus must select it (ruleSelector): add the labels that it asks for.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: glidepath
  labels: {app.kubernetes.io/name: glidepath}
spec:
"""


def prometheus_rule(rules: str) -> str:
    """Return the manifest with the rule groups in ``rules``, the text of a rule file of Prometheus."""
    groups = rules[rules.index("groups:") :]
    return _HEAD + textwrap.indent(groups, "  ", lambda line: bool(line.strip()))


if __name__ == "__main__":
    sys.stdout.write(prometheus_rule(ALERTS.read_text()))
