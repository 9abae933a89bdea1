"""Runs Envoy, Redis (or Valkey), extproc and the scorer on this machine as child processes."""
