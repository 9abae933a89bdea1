"""``glidepath validate``: check glidepath.yaml and the bootstrap rendered from it, or any Envoy bootstrap."""

from __future__ import annotations

import gc
import json
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from glidepath.call_classes import form_of_path, is_grpc_method
from glidepath.check_calibration_files import check_calibrations
from glidepath.clock import unix_ms
from glidepath.config import Config, Workload
from glidepath.config.cross_checks import Problem
from glidepath.config.listen_addresses import conflicts, listen_addresses
from glidepath.config.loader import load_with_places
from glidepath.config.partial_validation import has_faults
from glidepath.config.request_match import Match
from glidepath.errors import GlidepathError
from glidepath.name_suggestions import first_of_many
from glidepath.pluralization import number_of
from glidepath_ops.cli.delayed_progress_bar import delayed_progress_bar
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, AsJson, ConfigPath
from glidepath_ops.envoyconfig.bootstrap import render_bootstrap, with_stand_ins
from glidepath_ops.envoyconfig.check_by_envoy import check_with_envoy
from glidepath_ops.envoyconfig.commented_yaml import Json
from glidepath_ops.envoyconfig.request_reading import reads
from glidepath_ops.envoyconfig.validation import check_splits, check_strict, load_envoy_file
from glidepath_ops.local.missing_secrets import secret_problems
from scorer.steering.planning.freeze_window_share import always_frozen
from scorer.steering.planning.unprovable_limits import judging_note, undecidable_in_config

Hint = tuple[str, str, str]  # ("warning" or "note", place, text)


@dataclass(slots=True)
class Checked:
    """The results of the checks. ``skipped``: why a check was skipped. ``hints``: valid settings that may not work."""

    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield from (f"ok  {text}" for text in self.passed)
        yield from (f"--  {text}" for text in self.skipped)

    def to_json(self) -> dict[str, object]:
        hints = [{"kind": kind, "place": place, "text": text} for kind, place, text in self.hints]
        return {"passed": self.passed, "skipped": self.skipped, "hints": hints}


def command(
    config: ConfigPath = DEFAULT_CONFIG,
    envoy: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Check only this Envoy bootstrap, for example after you edited it."),
    ] = None,
    without_secrets: Annotated[
        bool, typer.Option("--without-secrets", help="Do not check that the secrets' variables and files exist.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check glidepath.yaml and the Envoy configuration rendered from it.

    Every field of the Envoy configuration must exist in Envoy's API. A route that splits a workload's requests by
    weights must list the candidate first, and the weights must add up to 10000. If Envoy is installed, `envoy --mode
    validate` also checks the configuration; no server is started.

    If the configuration takes a secret from an environment variable, the variable must be set here; if from a file, the
    file must be readable. On a machine without the secrets, use --without-secrets.

    Each error is a line on stderr, and the exit status is then 2. If a gate can never pass, a warning goes to stderr;
    `glidepath plan` explains it. Two processes with the same address cause a warning too.
    """
    with _shown(as_json=as_json) as checked:
        if envoy is not None:
            _check(checked, load_envoy_file(envoy), envoy)
        else:
            _check_configuration(checked, config, without_secrets=without_secrets)
    for line in one_line_a_text(checked.hints):
        typer.echo(line, err=True)


@contextmanager
def _shown(*, as_json: bool) -> Iterator[Checked]:
    """Show a progress bar and yield the record of the checks. At the end, print the record, even if a check failed."""
    checked = Checked()
    try:
        with delayed_progress_bar("checking", None):
            yield checked
    except GlidepathError:
        for line in () if as_json else checked.lines():
            typer.echo(line)
        raise
    for line in (json.dumps(checked.to_json()),) if as_json else checked.lines():
        typer.echo(line)


def _check_configuration(checked: Checked, config: Path, *, without_secrets: bool) -> None:
    checks = (_embedder_problems,) if without_secrets else (_embedder_problems, secret_problems)
    settings, places = load_with_places(config, lambda read: (one for check in checks for one in check(read)))
    check_calibrations(settings)
    counts = number_of(len(settings.backends), "backend"), number_of(len(settings.workloads), "workload")
    checked.passed.append(f"{config}: {', '.join(counts)}")
    with _without_cyclic_collection(), tempfile.TemporaryDirectory() as folder:
        bootstrap = with_stand_ins(settings, render_bootstrap(settings))
        rendered = Path(folder) / "envoy.json"  # with many workloads, YAML would take longer than all checks
        rendered.write_text(json.dumps(bootstrap))
        _check(checked, bootstrap, rendered, f"the Envoy configuration rendered from {config}")
    checked.hints += [
        *(
            ("warning", places.locate("workloads", name, "gates"), warning)
            for name in settings.workloads
            for warning in undecidable_in_config(settings, name)
        ),
        *(
            ("warning", places.locate("workloads", name, "ramp"), warning)
            for name, workload in settings.workloads.items()
            if (warning := always_frozen(workload.ramp.freeze, unix_ms()))
        ),
        *(
            ("note", places.locate("workloads", name), _ONE_LIMIT.format(workload.candidate))
            for name, workload in settings.workloads.items()
            if _has_one_limit(settings, name)
        ),
        *(
            ("note", places.locate("workloads", name), note)
            for name, workload in settings.workloads.items()
            if (note := judging_note(workload))
        ),
        *(
            ("note", places.locate("workloads", name, "match"), note)
            for name, workload in settings.workloads.items()
            if (note := _copying_note(workload))
        ),
        *(
            ("note", places.locate("workloads", name, "match"), _EMBEDDINGS)
            for name in settings.workloads
            if _splits_embeddings(settings, name)
        ),
        *(
            ("note", places.locate("workloads", name, "match", "model"), _OTHER_MODELS)
            for name in settings.workloads
            if _refuses_other_models(settings, name)
        ),
    ]
    checked.hints += [
        ("warning", places.locate("workloads", name, "fallback"), _FORMS.format(workload.candidate))
        for name, workload in settings.workloads.items()
        if _gets_forms_as_they_are(settings, workload)
    ]
    checked.hints += [
        ("warning", places.locate(*one.second.key), f"{one.message}, so both cannot run on one machine")
        for one in conflicts(listen_addresses(settings), on_one_machine=True)
    ]


_FORMS = (
    "without fallback, forms with a file (audio transcriptions, image edits) reach {} with the model that clients "
    "send, because only JSON bodies and paths are renamed"
)


_ONE_LIMIT = (
    "Envoy does not read these requests, so after 30 s it also asks the baseline, even for an answer that is not "
    "streamed: set backends.{0}.answer_timeout, or set backends.{0}.first_byte_timeout to the longest time of an answer"
)


_OWN_API = (
    "the path belongs to no known API, so each POST to it is copied, except calls of gRPC: if a call must not be made "
    "twice, set shadow.sample: 0"
)
_GRPC = "the path is a method of gRPC, whose calls are not copied: gates on pairs stay without evidence"
_UNREAD_API = "the answers of this path have no format that can be compared, so no call is copied"


def _copying_note(workload: Workload) -> str:
    """Return a note about the copies of a workload whose API the extractors cannot read; "" for any other workload."""
    path = workload.match.path
    if path is None or workload.shadow.sample == 0:
        return ""
    form = form_of_path(path)
    if is_grpc_method(path):
        return _GRPC
    return _OWN_API if form is None else "" if form.surface else _UNREAD_API


_EMBEDDINGS = (
    "calls for embeddings below this prefix are split too, so one index can get vectors of two models: give them a "
    "workload of their own (match.path, task: embeddings), or match.model here"
)


_OTHER_MODELS = (
    "where `render envoy` writes the whole Envoy configuration, requests of other models on this path get a 404: set "
    "envoy.default_backend to the backend that serves them now"
)


_ANY_MODEL = (".*", ".+")


def _refuses_other_models(config: Config, name: str) -> bool:
    """Return whether no workload and no default backend serves the requests of other models on a workload's path."""
    match = config.workloads[name].match
    if match.model is None or config.envoy.default_backend is not None:
        return False
    return not any(_takes_every_model(one.match, of=match) for one in config.workloads.values())


def _takes_every_model(match: Match, *, of: Match) -> bool:
    """Return whether a match includes every model of the path, or below the prefix, ``of``."""
    is_limited = match.model is not None and match.model.regex not in _ANY_MODEL
    if is_limited or match.headers or match.host is not None:
        return False
    path = of.path or of.path_prefix or ""
    if match.path_prefix is None:
        return match.path == of.path
    return f"{path}/".startswith(match.path_prefix.rstrip("/") + "/")


def _splits_embeddings(config: Config, name: str) -> bool:
    """Return whether a workload with a prefix may split calls for embeddings among other calls. See ADR 0315."""
    workload = config.workloads[name]
    if workload.task == "embeddings" or workload.match.path_prefix is None or workload.match.model is not None:
        return False
    prefix = workload.match.path_prefix.rstrip("/") + "/"
    own = (one.match for one in config.workloads.values() if one.task == "embeddings")
    return not any((match.path or match.path_prefix or "").startswith(prefix) for match in own)


def _has_one_limit(config: Config, name: str) -> bool:
    """Return whether the default ``first_byte_timeout`` also limits whole answers, which can take minutes."""
    workload = config.workloads[name]
    unset = not {"answer_timeout", "first_byte_timeout"} & config.backends[workload.candidate].model_fields_set
    return workload.fallback and unset and not reads(config, name)


def _gets_forms_as_they_are(config: Config, workload: Workload) -> bool:
    """Return whether multipart forms can reach a candidate that needs a different model name. See ADR 0427."""
    may_come = workload.match.path is None and workload.actuator is None
    return may_come and not workload.fallback and config.backends[workload.candidate].model is not None


def one_line_a_text(hints: Iterable[Hint]) -> list[str]:
    """Return one line for each different text in ``hints``. A hint is a tuple: ``warning`` or ``note``, place, text.

    The line names the first place and the number of others, so that 400 workloads with one hint make one line.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for kind, place, text in hints:
        places.setdefault((kind, text), []).append(place)
    lines = []
    for (kind, text), (first, *others) in places.items():
        more = f" (and {number_of(len(others), 'other workload')})" if others else ""
        lines.append(f"glidepath: {kind}: {first}{more}: {text}")
    return lines


def _embedder_problems(config: Config) -> Iterator[Problem]:
    """Yield a problem if the configured embedding engine or model is not installed here."""
    section = config.scorer.embedder
    # The default model is not checked, because a machine that only checks a file may lack the model's weights.
    if has_faults(section) or not section.model_fields_set:
        return
    from scorer.scoring.embed.missing_packages import missing_package  # here, because it imports NumPy: 70 ms

    if missing := missing_package(section):
        yield Problem(missing.key, missing.message)


@contextmanager
def _without_cyclic_collection() -> Iterator[None]:
    """Switch off Python's cyclic garbage collector: it takes time, and a large configuration has no cycles."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _check(checked: Checked, bootstrap: Json, path: Path, name: str = "") -> None:
    check_strict(bootstrap)
    checked.passed.append("every field belongs to Envoy's API (envoy-data-plane)")
    workloads = check_splits(bootstrap)
    checked.passed.append(f"splits: candidate first, sum 10000: {first_of_many(workloads) or 'no split of Glidepath'}")
    binary = check_with_envoy(path, name)
    if binary is None:
        checked.skipped.append("no Envoy found: envoy --mode validate was skipped")
    else:
        checked.passed.append("envoy --mode validate")
