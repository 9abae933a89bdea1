"""Glidepath as patches on the configuration that Istio's or Envoy Gateway's control plane makes."""
