"""``glidepath inventory``: from the counts of all traffic to workloads, their order of migration and their sections.

The data flow through ``estimate.py`` (counts → groups of calls), ``eligible_share.py``, ``answer_variation.py`` and
``batch_internal_or_customer.py`` (facts about each group), ``migration_order.py``, ``workload_fragment.py`` and
``show.py``. All of them are pure. ``read_inventory.py`` and ``log_lines.py`` read the counts.
"""
