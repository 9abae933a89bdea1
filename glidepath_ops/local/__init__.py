"""Running real servers on this machine: Envoy, Redis or Valkey, and our own processes, tied to their parent."""
