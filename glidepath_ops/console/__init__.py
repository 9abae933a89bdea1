"""The web console: it shows the workloads and their pairs, and people steer them there. See ADR 0320."""
