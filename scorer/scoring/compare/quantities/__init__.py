"""Parsing of numbers, dates, times, amounts with units, and the signs of formulas."""
