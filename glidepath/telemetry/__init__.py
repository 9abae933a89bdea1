"""Telemetry of extproc and the scorer by OpenTelemetry, an optional extra (``pip install "glidepath[otel]"``).

OpenTelemetry's packages are imported only by ``otlp.py`` here and by the modules ``otel_*`` of the processes. These
modules are imported only if the configuration has the section ``otel``. See ADR 0381.
"""
