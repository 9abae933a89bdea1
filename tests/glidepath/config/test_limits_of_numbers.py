"""No number of the configuration may be infinite or huge."""

from __future__ import annotations

import copy
import math
import typing
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from pydantic import BaseModel

from glidepath.config import Config
from glidepath.config.yaml_source import dotted
from tests.support import quick_yaml
from tests.support.faulty_configs import GOOD, config_or_error


def _numbers(annotation: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every number field, from the models' annotations."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield from _numbers(field.annotation, (*path, field.alias or name))
    elif annotation in (int, float):
        yield path
    elif typing.get_origin(annotation) is not typing.Literal:
        arguments = typing.get_args(annotation)
        name = "onprem" if path == ("backends",) else "50" if arguments[:1] == (float,) else "chat"
        inside = {dict: (name,), tuple: (0,)}.get(typing.get_origin(annotation), ())
        for argument in arguments[1:] if dict is typing.get_origin(annotation) else arguments:
            yield from _numbers(argument, (*path, *inside))


DATA = quick_yaml.safe_load(GOOD)
NUMBERS = sorted(set(_numbers(Config, ())), key=str)
EXTREMES = (math.inf, -math.inf, math.nan, 1e308, 10**30, 10**400, "9" * 400, "9" * 320 + "w", "1e999", True)


def test_the_search_for_number_fields_finds_some_in_every_section() -> None:
    assert len(NUMBERS) > 60
    assert ("workloads", "chat", "gates", "latency", 0, "max_ratio") in NUMBERS


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: ".".join(map(str, path)))
def test_no_number_may_be_infinite_or_huge(path: tuple[str | int, ...]) -> None:
    for value in EXTREMES:
        data = copy.deepcopy(DATA)
        here: Any = data
        for part, child in pairwise(path):
            if isinstance(here, dict) and not isinstance(here.get(part), dict | list):
                here[part] = [{}] if isinstance(child, int) else {}
            if isinstance(child, int) and isinstance(here[part], dict):
                here[part] = [here[part]]
            here = here[part]
        here[path[-1]] = value
        outcome = config_or_error(quick_yaml.safe_dump(data))
        assert isinstance(outcome, str) or (value in FINE and not UNBOUNDED.isdisjoint(path[-2:]))
        if isinstance(outcome, str):
            assert len([line for line in outcome.splitlines() if f": {dotted(path)}: " in line]) <= 1
            assert all(len(line) < 700 for line in outcome.splitlines())


# Prices and the limit of a load have no upper bound: their units are the user's.
UNBOUNDED = frozenset({"input", "output", "limit", "cost", "tolerance", "approval"})
FINE = (1e308, 10**30, True)
