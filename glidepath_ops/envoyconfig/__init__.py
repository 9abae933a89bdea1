"""Render commented Envoy configuration from ``glidepath.yaml``, and check Envoy configuration."""
