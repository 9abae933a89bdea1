"""Renders the example files in envoy/ again: ``python -m glidepath_ops.envoyconfig.write_examples envoy``."""

from __future__ import annotations

import sys
from pathlib import Path

from glidepath.config import load_config
from glidepath_ops.envoyconfig.bootstrap import annotated_bootstrap
from glidepath_ops.envoyconfig.commented_yaml import to_yaml

HEADER = """\
Rendered by `glidepath render envoy` from glidepath.yaml. To change it, edit that file and render again.
The weights, the captured share and the switch of the automation are runtime keys, which you can change with curl
without a reload (docs/how-to/control-envoy.md)."""

DEMO = "demo"  # the compose stack


def examples(folder: Path) -> dict[Path, str]:
    """Return the text of ``static/NAME.yaml`` for each example, rendered from ``NAME/glidepath.yaml``.

    The demo has no such file.
    """
    found = sorted(folder.glob("*/glidepath.yaml"))
    return {folder / "static" / f"{one.parent.name}.yaml": _render(one) for one in found if one.parent.name != DEMO}


def deployed(folder: Path) -> dict[Path, str]:
    """Return the text of the Envoy bootstraps of docker-compose.yml and deploy/kubernetes.

    A bootstrap is left out if its glidepath.yaml does not exist.
    """
    compose, base = folder / DEMO, folder.parent / "deploy" / "kubernetes" / "base"
    found = {compose / "envoy.yaml": compose, base.with_name("example") / "envoy.yaml": base}
    sources = {target: source / "glidepath.yaml" for target, source in found.items()}
    return {target: _render(source) for target, source in sources.items() if source.is_file()}


def _render(config: Path) -> str:
    return to_yaml(annotated_bootstrap(load_config(config)), HEADER)


def main(folder: Path) -> None:
    for path, text in {**examples(folder), **deployed(folder)}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "envoy"))
