"""Comparison of JSON values: their differences, their schema, and the pairing of items in unordered lists."""
