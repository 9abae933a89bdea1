"""The order of lines; the pairs in cases/pairs/line_order.yaml test it too."""

from __future__ import annotations

from tests.support.comparison_cases import compare_texts


def test_bullets_in_another_order_are_nearly_equal_and_numbered_steps_are_not() -> None:
    items = ["Stop the pump", "Open the valve", "Drain the tank"]
    bullets = ["Do this:\n\n" + "\n".join(f"- {i}" for i in order) for order in (items, items[::-1])]
    steps = ["Do this:\n\n" + "\n".join(f"{n}. {i}" for n, i in enumerate(order, 1)) for order in (items, items[::-1])]
    assert compare_texts(*bullets).flags == ()
    assert 0.9 < compare_texts(*bullets).agreement < 1
    assert "swapped_words" in compare_texts(*steps).flags
