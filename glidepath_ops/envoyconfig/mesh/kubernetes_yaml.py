"""Reads the Kubernetes objects of a user's YAML file, with their places in its text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from glidepath.errors import InputError
from glidepath_ops.envoyconfig.yaml_insertion import child


@dataclass(frozen=True, slots=True)
class ObjectNode:
    """A Kubernetes object in the file ``file``. ``namespace`` is "" if the object names none."""

    file: str
    node: yaml.MappingNode
    kind: str
    namespace: str
    name: str

    def place(self, node: yaml.Node | None = None) -> str:
        """Return FILE:LINE of ``node``, or of the whole object."""
        return f"{self.file}:{(node or self.node).start_mark.line + 1}"


def kubernetes_objects(text: str, file: str) -> list[ObjectNode]:
    """Return the Kubernetes objects of a YAML text with any number of documents. Raises InputError for other text."""
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise InputError(f"{file}: is not YAML: {' '.join(str(error).split())}") from error
    return [one for document in documents for one in _objects(document, file)]


def _objects(document: yaml.Node | None, file: str) -> Iterator[ObjectNode]:
    if not isinstance(document, yaml.MappingNode):
        return
    metadata = child(document, "metadata")
    yield ObjectNode(
        file,
        document,
        text_of(child(document, "kind")),
        text_of(child(metadata, "namespace")),
        text_of(child(metadata, "name")),
    )


def text_of(node: yaml.Node | None) -> str:
    """Return the text of a scalar, or "" for any other node."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""
