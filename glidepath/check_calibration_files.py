"""Checks at start-up that every file named by ``scoring.calibration`` can be read and is valid."""

from __future__ import annotations

from glidepath.agreement_weights import workload_weights
from glidepath.config import Config
from glidepath.errors import ConfigError, InputError


def check_calibrations(config: Config) -> None:
    """Check the calibration file of every workload. Raises ConfigError with one line for each invalid file."""
    problems = []
    for name, workload in config.workloads.items():
        try:
            workload_weights(workload.scoring.calibration)
        except InputError as error:
            problems.append(f"workloads.{name}.scoring.calibration: {error}")
    if problems:
        raise ConfigError("\n".join(problems))
