"""Scoring of queued pairs, in two processes: the scorer's own process and one child process.

The scorer's own process, which also steers, runs ``score_loop.py``: it claims pairs from Redis (``pair_queue.py``),
sends them to the child in batches and writes the results. The child process, in ``scoring_process/``, loads the
embedding engine and computes the scores. Each process imports only the modules that it needs.
"""
