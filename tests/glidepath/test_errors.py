"""The text of an error, and the first error of a group."""

from __future__ import annotations

import asyncio

import pytest

from glidepath.errors import InputError, UnreachableError, error_text, error_text_with_type, ungrouped


@pytest.mark.parametrize(
    ("error", "text", "with_type"),
    [
        (ValueError("first\nsecond"), "first", "ValueError: first\nsecond"),
        (ValueError("\nfirst"), "first", "ValueError: \nfirst"),
        (TimeoutError(), "TimeoutError", "TimeoutError"),
        (OSError(2, "No such file"), "[Errno 2] No such file", "FileNotFoundError: [Errno 2] No such file"),
    ],
)
def test_an_error_as_text_is_its_first_line_or_its_type(error: Exception, text: str, with_type: str) -> None:
    assert (error_text(error), error_text_with_type(error)) == (text, with_type)


async def fail(error: Exception) -> None:
    raise error


async def fail_twice() -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(fail(UnreachableError("redis")))
        tasks.create_task(fail(UnreachableError("envoy")))


async def test_the_first_error_of_a_group_is_raised() -> None:
    with pytest.raises(UnreachableError, match="redis"), ungrouped(UnreachableError):
        await fail_twice()


def test_an_error_of_another_kind_is_raised_unchanged() -> None:
    with pytest.raises(InputError, match="another kind"), ungrouped(UnreachableError):
        raise InputError("another kind")
