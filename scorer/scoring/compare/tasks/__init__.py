"""The comparison of two answers, with one module for each task."""
