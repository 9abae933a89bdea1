"""Scoring of a file of answer pairs, as ``glidepath score`` does it."""
