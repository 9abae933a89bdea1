"""Switch off the reports of the engines to their authors. This module must be imported before any engine.

ONNX Runtime reports its use from version 1.32 on, unless an environment variable is set when it is imported. OpenVINO
reports its use through the package ``openvino_telemetry``, and uses a stub if that package cannot be imported. None in
``sys.modules`` prevents the import.
"""

from __future__ import annotations

import os
import sys
from typing import Any, cast

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
cast("dict[str, Any]", sys.modules)["openvino_telemetry"] = None
