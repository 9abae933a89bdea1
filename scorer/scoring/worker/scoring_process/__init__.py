"""The child process that scores batches.

Its end of the pipe is ``process_main.py`` (with ``score_batch.py`` and ``score_pairs.py``); the scorer's end is
``process_client.py`` (with ``spawn_process.py``). Both use ``pipe_messages.py`` and ``batch_result.py``.
"""
