"""Send synthetic requests to both backends, for ``glidepath probe`` and for the scheduled probes of the scorer."""
