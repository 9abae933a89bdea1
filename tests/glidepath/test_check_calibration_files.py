"""Every file of weights that the configuration names is read before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from glidepath.agreement_weights import shipped_weights
from glidepath.check_calibration_files import check_calibrations
from glidepath.config import Config, parse_config
from glidepath.errors import ConfigError
from tests.support.chat_config import CHAT_CONFIG


def config(calibration: str | Path) -> Config:
    loaded = parse_config(CHAT_CONFIG)
    section = loaded.workload("chat")
    scoring = section.scoring.model_copy(update={"calibration": str(calibration)})
    return loaded.model_copy(update={"workloads": {"chat": section.model_copy(update={"scoring": scoring})}})


def test_a_file_that_is_missing_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"workloads\.chat\.scoring\.calibration: .*none\.json: cannot be read"):
        check_calibrations(config(tmp_path / "none.json"))


def test_a_valid_file_and_no_file_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "weights.json"
    path.write_text(shipped_weights().to_json())
    check_calibrations(config(path))
    check_calibrations(parse_config(CHAT_CONFIG))
