"""``glidepath render``: Envoy configuration to read, paste or run, or to put into an Envoy that is already there."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast

import typer

from glidepath.config import load_config
from glidepath.errors import InputError
from glidepath_ops.envoyconfig.bootstrap import annotated_bootstrap
from glidepath_ops.envoyconfig.into_bootstrap import Place, add
from glidepath_ops.envoyconfig.mesh.envoy_gateway import Capture, GatewayPlace
from glidepath_ops.envoyconfig.mesh.istio import Context, IstioPlace
from glidepath_ops.envoyconfig.mesh.resource_files import RESOURCES, gateway_files, istio_files, labels, write_all
from glidepath_ops.envoyconfig.write_examples import HEADER
from glidepath_ops.envoyconfig.yaml_insertion import remove as take_out
from glidepath_ops.envoyconfig.yaml_text import to_yaml

TARGETS = ("envoy", "istio", "envoy-gateway")


def command(
    target: Annotated[str, typer.Argument(help="What to render for: envoy, istio or envoy-gateway.")] = "envoy",
    config: Annotated[Path, typer.Option("--config", "-c", help="The configuration, a file or a directory.")] = Path(
        "glidepath.yaml"
    ),
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write here instead of printing (with --into: instead of there)."),
    ] = None,
    admin: Annotated[
        str | None, typer.Option(help="Where Envoy's admin API listens: HOST:PORT or unix:/path (default: loopback).")
    ] = None,
    node: Annotated[str, typer.Option(help="Envoy's node id.")] = "envoy",
    into: Annotated[
        Path | None, typer.Option(help="Your own bootstrap (YAML): add Glidepath to it, show the diff.")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="With --into: take Glidepath out again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --into: show the diff, write nothing.")] = False,
    listener: Annotated[
        str | None, typer.Option(help="With --into: the listener to add to, if several speak HTTP.")
    ] = None,
    virtual_host: Annotated[
        str | None, typer.Option(help="With --into or istio: the virtual host, if there are several.")
    ] = None,
    context: Annotated[str, typer.Option(help="istio: gateway or sidecar.")] = "gateway",
    namespace: Annotated[
        str | None, typer.Option(help="Namespace (default: istio-system; envoy-gateway: default).")
    ] = None,
    workload_selector: Annotated[
        list[str] | None, typer.Option(help="istio: KEY=VALUE label of the pods (default: istio=ingressgateway).")
    ] = None,
    port: Annotated[int | None, typer.Option(help="istio: filters and log only on the listener of this port.")] = None,
    gateway: Annotated[str, typer.Option(help="envoy-gateway: the Gateway's name; --listener its listener.")] = "eg",
    capture: Annotated[
        str, typer.Option(help="envoy-gateway: ext_proc by patch, or by policy (EnvoyExtensionPolicy).")
    ] = "patch",
    xds_name: Annotated[
        str | None, typer.Option(help="envoy-gateway: the xDS listener (default: NAMESPACE/GATEWAY/LISTENER).")
    ] = None,
    image: Annotated[str, typer.Option(help="Meshes: the image of extproc beside Envoy.")] = "glidepath",
) -> None:
    """Write Envoy configuration, or a mesh's resources, from glidepath.yaml; or add it to your own bootstrap.

    With --into nothing of yours changes, to the byte; a second run replaces what the first added; --remove gives your
    file back.
    """
    if target not in TARGETS:
        raise InputError(f"render: unknown target {target!r} (allowed: {', '.join(TARGETS)})")
    if target != "envoy":
        if into is not None or remove or dry_run or admin is not None:
            raise InputError("render: --into, --remove, --dry-run and --admin go with the target envoy")
        if target == "istio":
            files = istio_files(
                load_config(config),
                IstioPlace(
                    context=cast("Context", context),
                    namespace=namespace or "istio-system",
                    selector=labels(workload_selector or []),
                    virtual_host=virtual_host,
                    port=port,
                    image=image,
                ),
            )
        else:
            files = gateway_files(
                load_config(config),
                GatewayPlace(
                    gateway=gateway,
                    namespace=namespace or "default",
                    listener=listener or "http",
                    capture=cast("Capture", capture),
                    image=image,
                    xds_name=xds_name,
                ),
            )
        _mesh(files, output)
        return
    if into is not None:
        place = Place(listener, virtual_host)
        _into(into, output or into, config=None if remove else config, place=place, dry_run=dry_run)
        return
    for option, given in (
        ("--remove", remove),
        ("--dry-run", dry_run),
        ("--listener", listener),
        ("--virtual-host", virtual_host),
    ):
        if given:
            raise InputError(f"render: {option} goes with --into FILE")
    text = to_yaml(annotated_bootstrap(load_config(config), admin=admin, node=node), HEADER)
    if output is None:
        typer.echo(text, nl=False)
        return
    _write(output, text)
    typer.echo(f"wrote {output}", err=True)


def _mesh(files: Mapping[str, str], output: Path | None) -> None:
    """A folder gets every file; a file or the screen what ``kubectl apply -f`` takes."""
    if output is not None and output.suffix not in (".yaml", ".yml"):
        for path in write_all(files, output):
            typer.echo(f"wrote {path}", err=True)
        return
    if output is None:
        typer.echo(files[RESOURCES], nl=False)
    else:
        _write(output, files[RESOURCES])
        typer.echo(f"wrote {output}", err=True)
    for name in files:
        if name != RESOURCES:
            typer.echo(f"not shown: {name}, which the pods need too; -o FOLDER writes all", err=True)


def _into(source: Path, output: Path, *, config: Path | None, place: Place, dry_run: bool) -> None:
    """``config`` None: take ours out."""
    if source.suffix == ".json":
        raise InputError(
            f"{source}: JSON takes no comments to mark our lines by; convert it to YAML, which Envoy reads too"
        )
    try:
        before = source.read_bytes().decode()
    except OSError as error:
        raise InputError(f"{source}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{source}: is not UTF-8 text (byte {error.start})") from error
    after = take_out(before) if config is None else add(before, load_config(config), str(source), place)
    diff = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), str(source), str(output)
    )
    shown = "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in diff)
    typer.echo(shown, nl=False)
    if dry_run:
        return
    _write(output, after)
    done = "nothing to change in" if after == before else "wrote"
    typer.echo(f"{done} {output}; check it with: envoy --mode validate -c {output}", err=True)


def _write(path: Path, text: str) -> None:
    """All of it or nothing: a half-written bootstrap must never be what Envoy restarts with."""
    try:
        mode = path.stat().st_mode if path.exists() else None
        with tempfile.NamedTemporaryFile("wb", dir=path.resolve().parent, delete=False) as draft:
            draft.write(text.encode())
        Path(draft.name).chmod(mode if mode is not None else 0o644)
        os.replace(draft.name, path.resolve())
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error
