"""Tests of finding the servers that a running `glidepath up` started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from glidepath.config import load_config, parse_config
from glidepath_ops.local.addresses_of_running_up import with_running_up
from glidepath_ops.local.data_folder import DEFAULT_FOLDER, Holder, locked_data_folder, parse_holder, running_holder
from glidepath_ops.local.services import config_file, with_addresses, write_config

ADMIN, SHADOW, REDIS = "http://127.0.0.1:19901", "unix:/run/shadow.sock", "redis://127.0.0.1:16379/0"


@pytest.fixture
def user_file(tmp_path: Path, valid_yaml: str) -> Path:
    path = tmp_path / "glidepath.yaml"
    path.write_text(valid_yaml)
    return path


@pytest.fixture
def data(tmp_path: Path, valid_yaml: str) -> Path:
    """A data folder beside the user's file, as `up` leaves it."""
    folder = tmp_path / DEFAULT_FOLDER
    running = with_addresses(
        parse_config(valid_yaml), admin=ADMIN, shadow=SHADOW, redis=REDIS, redis_password=folder / "password"
    )
    write_config(running, config_file(folder))
    return folder


def test_the_servers_of_the_up_that_runs_with_the_file_are_found(user_file: Path, data: Path) -> None:
    config = load_config(user_file)
    with locked_data_folder(data, user_file):
        found = with_running_up(config, user_file)
    assert (found.envoy.admin, found.envoy.shadow_listen, found.redis.url) == ((ADMIN,), SHADOW, REDIS)
    assert found.redis.password is not None
    assert found.redis.password.file == str(data / "password")
    assert with_running_up(config, user_file) == config


def test_the_servers_of_an_up_with_another_file_are_not_used(user_file: Path, data: Path) -> None:
    config = load_config(user_file)
    with locked_data_folder(data, user_file.with_name("other.yaml")):
        assert with_running_up(config, user_file) == config


def test_addresses_that_the_file_sets_stay(user_file: Path, data: Path) -> None:
    user_file.write_text(user_file.read_text() + 'redis: {url: "redis://10.0.0.9:6379/0"}\n')
    config = load_config(user_file)
    with locked_data_folder(data, user_file):
        found = with_running_up(config, user_file)
    assert (found.redis, found.envoy.admin) == (config.redis, (ADMIN,))


def test_a_lock_file_of_a_process_that_was_killed_names_no_running_up(tmp_path: Path) -> None:
    with locked_data_folder(tmp_path, tmp_path / "x.yaml"):
        assert running_holder(tmp_path) == Holder(os.getpid(), tmp_path / "x.yaml")
        dead = (tmp_path / "up.lock").read_text().replace(str(os.getpid()), str(2**22 + 1))
    (tmp_path / "up.lock").write_text(dead)
    assert running_holder(tmp_path) is None


@pytest.mark.parametrize("text", ["", "\n", "12", "12\n", "x\n/a\n"])
def test_a_lock_file_without_a_holder_names_none(text: str) -> None:
    assert parse_holder(text) is None
