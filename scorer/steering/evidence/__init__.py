"""Evidence: anytime-valid tests of a candidate against its baseline, as gates with verdicts. Pure: no clock, no I/O.

``Evidence.fresh(workload, percent, now_ms)``, then ``fold_outcomes``, ``fold_scored`` and ``verdicts``.
"""

from scorer.steering.evidence.accumulator import Evidence

__all__ = ["Evidence"]
