"""Scoring: a queued pair of answers becomes a score.

``worker`` claims pairs from Redis and writes the results. A child process extracts the answers (``answers``), embeds
their texts (``embed``) and compares them (``compare``). ``files`` scores pairs from a file.
"""
