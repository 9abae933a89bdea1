"""Scoring: computes a score for each queued pair of answers.

``worker`` claims pairs from Redis and writes the results. A child process extracts the answers (``answers``), embeds
their texts (``embed``) and compares them (``compare``). ``files`` scores the pairs of a file.
"""
