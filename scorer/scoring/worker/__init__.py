"""Scoring of the pairs in the queue, by two processes: the main process of the scorer and one child process.

The main process, which also steers, runs ``score_loop.py``. It claims pairs from Redis (``pair_queue.py``), sends them
to the child process in batches and writes the results to Redis. The child process (``scoring_process/``) loads the
embedding engine and computes the scores. Each process imports only the modules that it needs.
"""
