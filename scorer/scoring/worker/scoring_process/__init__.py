"""The scoring process, which is a child process of the scorer, and the scorer's connection to it.

The scoring process runs ``process_main.py``, which uses ``score_batch.py`` and ``extract_embed_compare.py``. The scorer
runs ``process_client.py``, which uses ``spawn_process.py``. Both processes use ``pipe_messages.py`` and
``batch_result.py``.
"""
