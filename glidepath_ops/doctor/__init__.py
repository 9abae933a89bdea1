"""Check a running Envoy and Redis: gather facts (I/O), then derive findings with remedies (pure functions)."""
