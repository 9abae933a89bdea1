"""Sends synthetic requests to both backends, for ``glidepath probe`` and for the scorer's scheduled probes."""
