"""``python -m glidepath.envoyconfig.examples envoy`` rewrites the examples from their ``glidepath.yaml`` files."""

from __future__ import annotations

import sys
from pathlib import Path

from glidepath.config import load_config
from glidepath.envoyconfig.render import annotated_bootstrap
from glidepath.envoyconfig.text import to_yaml

HEADER = """\
Rendered by `glidepath render envoy` from glidepath.yaml: change that, and render again.
Weights, capture and the automation's switch are runtime keys; they change by curl, without a reload (docs/envoy.md)."""


def examples(folder: Path) -> dict[Path, str]:
    """What each ``static/NAME.yaml`` must hold, for every ``NAME/glidepath.yaml`` in ``folder``."""
    found = sorted(folder.glob("*/glidepath.yaml"))
    return {folder / "static" / f"{one.parent.name}.yaml": _render(one) for one in found}


def _render(config: Path) -> str:
    return to_yaml(annotated_bootstrap(load_config(config)), HEADER)


def main(folder: Path) -> None:
    for path, text in examples(folder).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "envoy"))
