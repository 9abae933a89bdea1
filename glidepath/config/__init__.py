"""The configuration file: ``load_config(path)`` returns a frozen ``Config`` or raises a one-line ``ConfigError``."""

from glidepath.config.loader import load_config, parse_config
from glidepath.config.root import Config, Match, Sticky, Workload

__all__ = ["Config", "Match", "Sticky", "Workload", "load_config", "parse_config"]
