"""OpenTelemetry, an extra (``pip install "glidepath[otel]"``): what extproc and the scorer send to a collector.

Only ``otlp.py`` here, and the modules ``otel_*`` of the processes, import OpenTelemetry's packages, and only if the
section ``otel`` is in the configuration. See ADR 0381.
"""
