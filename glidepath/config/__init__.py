"""The configuration. ``load_config(path)`` returns an immutable ``Config``, or raises ``ConfigError``."""

from glidepath.config.loader import load_config, parse_config
from glidepath.config.root import Config, Match, Sticky, Workload

__all__ = ["Config", "Match", "Sticky", "Workload", "load_config", "parse_config"]
