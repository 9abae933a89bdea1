"""The file of weights: the shipped file, refused files, and the content that the digest covers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glidepath.agreement_weights import FEATURE_SIGNS, AgreementWeights, read_weights, shipped_weights
from glidepath.errors import InputError


def written(folder: Path, raw: Any) -> Path:
    path = folder / "weights.json"
    path.write_text(json.dumps(raw) if not isinstance(raw, str) else raw)
    return path


def test_the_shipped_weights_have_the_signs_of_their_features_and_say_how_they_were_made() -> None:
    shipped = shipped_weights()
    assert list(shipped.features) == list(FEATURE_SIGNS)
    assert all(shipped.features[name].weight * sign >= 0 for name, sign in FEATURE_SIGNS.items())
    assert {"by", "date", "sets", "auc_left_out"} <= set(shipped.made)
    assert all({"pairs", "same"} <= set(row) for row in shipped.made["sets"].values())


def test_a_file_that_was_written_is_read_back(tmp_path: Path) -> None:
    shipped = shipped_weights()
    path = tmp_path / "weights.json"
    path.write_text(shipped.to_json())
    assert read_weights(path) == shipped
    assert read_weights(path).digest == shipped.digest


def test_the_digest_covers_weights_and_constant_but_not_how_they_were_made() -> None:
    shipped = shipped_weights()
    assert replace(shipped, made={}).digest == shipped.digest
    assert replace(shipped, constant=shipped.constant + 1).digest != shipped.digest
    other = replace(shipped.features["names"], weight=-9.0)
    assert replace(shipped, features={**shipped.features, "names": other}).digest != shipped.digest


@given(st.dictionaries(st.sampled_from(list(FEATURE_SIGNS)), st.floats(0, 1)), st.data())
def test_the_probability_follows_the_sign_of_each_feature(some: dict[str, float], data: st.DataObject) -> None:
    values = dict.fromkeys(FEATURE_SIGNS, 0.0) | some
    name = data.draw(st.sampled_from([n for n, sign in FEATURE_SIGNS.items() if sign]))
    more = {**values, name: data.draw(st.floats(values[name], 1))}
    change = shipped_weights().probability(more) - shipped_weights().probability(values)
    assert change * FEATURE_SIGNS[name] >= -1e-12


def _with(**changes: Any) -> dict[str, Any]:
    return {**json.loads(shipped_weights().to_json()), **changes}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("{", "is not JSON"),
        ([], "must be an object with constant and features"),
        (_with(constant="x"), "constant: must be a number"),
        (_with(constant=True), "constant: must be a number"),
        (_with(features={}), "features: must be exactly cosine"),
        (_with(features={**_with()["features"], "extra": {}}), r"wrong: extra"),
        (_with(features={**_with()["features"], "names": 3}), "features.names: must be an object"),
        (
            _with(features={**_with()["features"], "names": {"weight": 1, "middle": 0}}),
            "names.spread: must be a number",
        ),
        (
            _with(features={**_with()["features"], "names": {"weight": 1, "middle": 0, "spread": 0}}),
            "names.spread: must be above 0",
        ),
    ],
)
def test_a_wrong_file_is_an_error_that_names_the_place(tmp_path: Path, raw: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as failure:
        read_weights(written(tmp_path, raw))
    assert str(failure.value).startswith(str(tmp_path))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_weights(tmp_path / "none.json")


def test_the_probability_of_extreme_values_is_finite() -> None:
    steep = AgreementWeights(1e6, shipped_weights().features)
    assert steep.probability(dict.fromkeys(FEATURE_SIGNS, 0.0)) <= 1
