"""Scoring of a file of answer pairs, for the command ``glidepath score``."""
