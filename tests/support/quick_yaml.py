"""Read and write YAML ten times as fast, by libyaml if PyYAML has it. Glidepath itself does not use libyaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def safe_load(text: str) -> Any:
    return yaml.load(text, Loader=_LOADER)


def safe_load_all(text: str) -> Iterator[Any]:
    return yaml.load_all(text, Loader=_LOADER)


def safe_dump(data: Any) -> str:
    dumped: str = yaml.dump(data, Dumper=_DUMPER)
    return dumped
