"""Render Envoy configuration with comments from ``glidepath.yaml``, and check it."""
