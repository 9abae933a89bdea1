"""Envoy configuration from ``glidepath.yaml``: rendered, commented, checked."""
