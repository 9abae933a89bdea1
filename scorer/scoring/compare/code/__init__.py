"""Comparison of code in answers: blocks that do not parse, and differences between two programs."""
