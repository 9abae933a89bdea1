"""Numbers, dates, times, amounts with units, and the signs of formulas."""
