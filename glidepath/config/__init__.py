"""The configuration. ``load_config(path)`` returns an immutable ``Config``, or raises ``ConfigError``."""

from glidepath.config.loader import load_config, parse_config
from glidepath.config.request_match import Match
from glidepath.config.root import Config
from glidepath.config.sticky_values import Sticky
from glidepath.config.workload import Workload

__all__ = ["Config", "Match", "Sticky", "Workload", "load_config", "parse_config"]
