"""Score pairs of answers: those in the queue in Redis, and those in a file.

``worker`` claims pairs from Redis and writes the results. Its child process extracts the answers (``answers``), embeds
their texts (``embed``) and compares them (``compare``). ``files`` scores the pairs of a file.
"""
