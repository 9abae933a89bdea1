"""Examining a running Envoy and Redis: facts are gathered (I/O), then judged (pure), each with its remedy."""
