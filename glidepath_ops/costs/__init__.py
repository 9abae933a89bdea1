"""Reads what the cost model needs from Redis, and writes its results as text and JSON."""
