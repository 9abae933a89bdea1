"""``glidepath render``: write Envoy configuration or mesh resources, or insert them into the user's own bootstrap."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from glidepath.config import load_config
from glidepath.errors import InputError
from glidepath_ops.cli.render_istio import IstioRoutes, chosen_routes
from glidepath_ops.cli.render_output import (
    change_file,
    insert_into_file,
    print_or_write,
    print_or_write_files,
    restore_files,
    text_without_glidepath,
)
from glidepath_ops.cli.shared_options import DEFAULT_CONFIG, ConfigPath, Output
from glidepath_ops.envoyconfig.bootstrap import annotated_bootstrap, refuse_named_clusters, refuse_without_routes
from glidepath_ops.envoyconfig.commented_yaml import to_yaml
from glidepath_ops.envoyconfig.insert_into_bootstrap import InsertionPoint
from glidepath_ops.envoyconfig.mesh.envoy_gateway import GatewayTarget
from glidepath_ops.envoyconfig.mesh.gateway_envoy_proxy import complete_envoy_proxy
from glidepath_ops.envoyconfig.mesh.gateway_routes import UsersFile, gateway_routes, route_choices
from glidepath_ops.envoyconfig.mesh.gateway_xds_names import gateway_listener
from glidepath_ops.envoyconfig.mesh.istio import Context, IstioTarget
from glidepath_ops.envoyconfig.mesh.resource_yaml_files import (
    gateway_files,
    istio_files,
    labels,
    refuse_without_workloads,
)
from glidepath_ops.envoyconfig.write_examples import HEADER

OutputOrInto = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="PATH",
        help="File to write to; - is stdout; default: stdout or, with --into, the bootstrap itself.",
    ),
]
Into = Annotated[
    Path | None,
    typer.Option(
        "--into", metavar="FILE", help="Insert Glidepath into your own bootstrap FILE (YAML), and show the diff."
    ),
]
Image = Annotated[str, typer.Option(help="Container image of the extproc sidecar.")]


class EnvoyByDefault(TyperGroup):
    """A command group that runs ``envoy`` if no subcommand is given: ``glidepath render -o envoy.yaml``."""

    def parse_args(self, context: Any, arguments: list[str]) -> list[str]:
        if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("--help", "-h")):
            arguments = ["envoy", *arguments]
        return super().parse_args(context, arguments)

    def resolve_command(self, context: Any, arguments: list[str]) -> Any:
        if arguments[0] not in self.commands:
            _refuse_target(arguments[0], list(self.commands))
        return super().resolve_command(context, arguments)


def _refuse_target(target: str, known: list[str]) -> NoReturn:
    raise InputError(f"render: unknown target {target!r} (allowed: {', '.join(known)})")


command = typer.Typer(
    cls=EnvoyByDefault,
    help="Write Envoy or mesh configuration from glidepath.yaml.",
    epilog="Without a command, `glidepath render` runs `glidepath render envoy`.",
    rich_markup_mode="markdown",
)


@command.command("envoy")
def render_envoy(
    config: ConfigPath = DEFAULT_CONFIG,
    output: OutputOrInto = None,
    admin: Annotated[
        str | None,
        typer.Option(
            help="Address of Envoy's admin API: HOST:PORT or unix:/path; default: the first local address in "
            "envoy.admin, or else 127.0.0.1:9901."
        ),
    ] = None,
    node: Annotated[str, typer.Option(help="Envoy's node id.")] = "envoy",
    into: Into = None,
    remove: Annotated[bool, typer.Option("--remove", help="With --into: remove Glidepath from the bootstrap.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --into: show the diff and write nothing.")] = False,
    listener: Annotated[
        str | None, typer.Option(help="With --into: name of the listener to extend, if several listeners serve HTTP.")
    ] = None,
    virtual_host: Annotated[
        str | None, typer.Option(help="With --into: name of the virtual host to extend, if there are several.")
    ] = None,
) -> None:
    """Write a complete Envoy bootstrap or, with --into, insert Glidepath into your own bootstrap.

    --into only adds lines; your own lines stay exactly as they are. A second run replaces the lines that the first run
    added. --remove restores the original file.
    """
    if into is not None:
        place = InsertionPoint(listener, virtual_host)
        insert_into_file(into, output or into, config=None if remove else config, place=place, dry_run=dry_run)
        return
    for option, given in (
        ("--remove", remove),
        ("--dry-run", dry_run),
        ("--listener", listener),
        ("--virtual-host", virtual_host),
    ):
        if given:
            raise InputError(f"render: {option} needs --into FILE")
    settings = load_config(config)
    refuse_named_clusters(settings)
    refuse_without_routes(settings)
    print_or_write(to_yaml(annotated_bootstrap(settings, admin=admin, node=node), HEADER), output)


@command.command("istio")
def render_istio(
    config: ConfigPath = DEFAULT_CONFIG,
    output: Output = None,
    context: Annotated[str, typer.Option(help="Kind of proxies to configure: gateway or sidecar.")] = "gateway",
    namespace: Annotated[str, typer.Option(help="Namespace of the EnvoyFilter.")] = "istio-system",
    workload_selector: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Label that selects the proxies' pods. Repeat the option for several labels; default: "
            "istio=ingressgateway.",
        ),
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Change your VirtualService in FILE (YAML): add, for each of your routes that serves a workload, a "
            "copy that is limited to the workload's requests. Show the diff.",
        ),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[WORKLOAD=]NAMESPACE/NAME[/HTTP-ROUTE]",
            help="With --into: the VirtualService to extend, or one route in it. Without --into: your route "
            "whose traffic is split. It must serve only the requests of one workload, which must have fallback: false. "
            "HTTP-ROUTE is then required, and so is WORKLOAD= if there are several workloads.",
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="With --context sidecar: write a VirtualService for a host that has no VirtualService.",
        ),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="With --into: remove the routes that an earlier run added.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --into: show the diff and do not change FILE.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(help="Add the filters and the access log to the listener of this port only.")
    ] = None,
    image: Image = "glidepath",
) -> None:
    """Write Istio's EnvoyFilter, and a patch that adds extproc to the proxies' pods.

    The EnvoyFilter splits the traffic of some routes of your VirtualService between the baseline and the candidate.
    Such a route must serve only the requests of one workload. --into adds such routes to your file. Before each of your
    routes that serves a workload, it inserts a copy that is limited to the workload's requests. The rest of the file
    stays exactly as it is. --remove restores the original file.
    """
    if remove:
        restore_files([into] if into else [], dry_run=dry_run)
        typer.echo(
            f"next: kubectl apply -f {into}, and only then kubectl delete envoyfilter glidepath -n {namespace}; in the "
            "other order, Istio removes clusters that routes still name",
            err=True,
        )
        return
    place = IstioTarget(
        context=cast("Context", context),
        namespace=namespace,
        selector=labels(workload_selector or []),
        port=port,
        image=image,
    )
    loaded = load_config(config)
    refuse_without_workloads(loaded)
    routes = chosen_routes(loaded, place, IstioRoutes(into, route or [], service))
    files = istio_files(loaded, place, routes)  # refuses what Istio lacks, before a file is changed
    if into is not None:
        change_file(into, routes.text or text_without_glidepath(into), dry_run=dry_run)
    print_or_write_files(files, output)


@command.command("envoy-gateway")
def render_envoy_gateway(
    config: ConfigPath = DEFAULT_CONFIG,
    output: Output = None,
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Add a rule for each workload to FILE, which contains your HTTPRoutes. Show the diff.",
        ),
    ] = None,
    route: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[WORKLOAD=]NAMESPACE/NAME[/RULE]",
            help="With --into: the HTTPRoute that serves the workload, if FILE contains several. Without --into: your "
            "rule that matches only the workload's requests, which are then split; the workload must have fallback: "
            "false.",
        ),
    ] = None,
    new_route: Annotated[
        bool,
        typer.Option("--new-route", help="Write an HTTPRoute for each workload that none of your HTTPRoutes serves."),
    ] = False,
    into_proxy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Change FILE, which contains your EnvoyProxy: add runtime layers to Envoy's bootstrap, and extproc as "
            "a sidecar to its pod. Show the diff.",
        ),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="With --into or --into-proxy: remove Glidepath from these files.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --into or --into-proxy: show the diffs and write nothing.")
    ] = False,
    gateway: Annotated[str, typer.Option(help="Name of the Gateway.")] = "eg",
    gateway_class: Annotated[
        str | None, typer.Option(help="Name of the GatewayClass, if it merges its Gateways (mergeGateways).")
    ] = None,
    listener: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:PROTOCOL:PORT]",
            help="A listener of the Gateway. Repeat the option for each, in the order of the Gateway's list; default: "
            "http.",
        ),
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the Gateway.")] = "default",
    xds_names: Annotated[
        str, typer.Option(help="Naming scheme of Envoy Gateway: v1, or v2 with its runtime flag XDSNameSchemeV2.")
    ] = "v1",
    image: Image = "glidepath",
) -> None:
    """Write resources for Envoy Gateway, and add what the split needs to your own HTTPRoutes and EnvoyProxy.

    Glidepath splits a workload's requests between the baseline and the candidate. It does so in the routes that Envoy
    Gateway generates from your HTTPRoute, so all of your policies on your HTTPRoute stay in force. --into and
    --into-proxy only add lines; --remove restores the original files.
    """
    if remove:
        restore_files([one for one in (into, into_proxy) if one is not None], dry_run=dry_run)
        typer.echo(
            f"next: glidepath abort for each workload, kubectl delete envoypatchpolicy glidepath -n {namespace}, and "
            "only then kubectl apply of what was restored; otherwise Envoy Gateway removes clusters that routes name",
            err=True,
        )
        return
    settings = load_config(config)
    refuse_without_workloads(settings)
    place = GatewayTarget(
        gateway=gateway,
        namespace=namespace,
        gateway_class=gateway_class,
        listeners=tuple(gateway_listener(text) for text in listener or ["http"]),
        xds_names=xds_names,
        image=image,
        own_proxy=into_proxy is not None,
    )
    file = None if into is None else UsersFile(str(into), text_without_glidepath(into))
    routes, completed = gateway_routes(
        settings, file, route_choices(route or [], settings), namespace, new_route=new_route
    )
    files = gateway_files(settings, place, routes)
    changed = {} if into is None or completed is None else {into: completed}
    if into_proxy is not None:
        before = changed.get(into_proxy) or text_without_glidepath(into_proxy)
        changed[into_proxy] = complete_envoy_proxy(before, settings, str(into_proxy), image)
    for path, text in changed.items():
        change_file(path, text, dry_run=dry_run)
    if not dry_run:
        print_or_write_files(files, output)
