"""The evidence about a candidate: gates that compare it with its baseline by anytime-valid tests. No clock, no I/O.

Create the evidence of a step with ``Evidence.fresh(workload, percent, now_ms)``, add data with ``fold_outcomes`` and
``fold_scored``, and read the result with ``verdicts``.
"""

from scorer.steering.evidence.accumulator import Evidence

__all__ = ["Evidence"]
