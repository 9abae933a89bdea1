"""The web console. It shows the workloads and their pairs, and people steer the workloads there. See ADR 0320."""
