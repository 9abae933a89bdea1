"""Alignment of two texts: the edits between their words, and the lists and lines whose order changed."""
