"""The parts for a test of a mesh: Envoy, the backends, and another service of the user."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.envoy_with_backends import EnvoySetup
from tests.support.recording_backend import Recorder


@dataclass(frozen=True, slots=True)
class MeshSetup:
    setup: EnvoySetup
    service: Recorder  # the user's service
