"""Reads the input of the cost model from Redis, and writes its results as text and JSON."""
