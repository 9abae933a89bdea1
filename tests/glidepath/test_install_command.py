"""The command that installs a package into the Python that runs now."""

from __future__ import annotations

import sys

from glidepath.install_command import install_command


def test_the_command_names_the_python_that_runs_now() -> None:
    assert install_command("pip install --no-deps x", has_pip=True) == f"{sys.executable} -m pip install --no-deps x"


def test_a_python_without_pip_is_one_of_uv_and_a_path_with_spaces_is_quoted() -> None:
    found = install_command("pip install 'glidepath[openvino]'", python="/a b/python", has_pip=False)
    assert found == "uv pip install --python '/a b/python' 'glidepath[openvino]'"
