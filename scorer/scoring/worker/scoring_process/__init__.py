"""The child process that scores batches, and its connection to the scorer.

The child runs ``process_main.py`` (with ``score_batch.py`` and ``extract_embed_compare.py``). The scorer runs
``process_client.py`` (with ``spawn_process.py``). Both use ``pipe_messages.py`` and ``batch_result.py``.
"""
