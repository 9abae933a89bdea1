from __future__ import annotations

from scorer.scoring.compare import NoiseFloor


def test_a_noise_floor_adds_up_and_keeps_its_counts_in_json() -> None:
    floor = NoiseFloor().fold({"numbers": 1.0, "names": 0.2}, 0.9)
    assert NoiseFloor.from_json((floor + floor).to_json()) == floor + floor
    assert (floor.rate("numbers"), floor.rate("names"), floor.agreement) == (1.0, 0.0, 0.9)
    assert not floor.known
