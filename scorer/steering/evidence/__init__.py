"""Evidence: anytime-valid tests of a candidate against its baseline, as gates with verdicts. Pure: no clock, no I/O.

Create it with ``Evidence.fresh(workload, percent, now_ms)``, add data with ``fold_outcomes`` and ``fold_scored``, and
read the result with ``verdicts``.
"""

from scorer.steering.evidence.accumulator import Evidence

__all__ = ["Evidence"]
