"""``glidepath inventory``: from the counts of all traffic to workloads, their order of migration and their sections.

The data flows through ``estimate.py`` (counts → groups of calls), ``eligible_share.py``, ``answer_variation.py`` and
``kinds.py`` (what is known of each), ``migration_order.py``, ``workload_fragment.py`` and ``show.py``. All of them are
pure; ``read_inventory.py`` and ``log_file.py`` read the counts.
"""
