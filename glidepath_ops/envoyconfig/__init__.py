"""Renders commented Envoy configuration from ``glidepath.yaml``, and checks Envoy configuration."""
