"""The evidence about a candidate: gates that compare it with its baseline by anytime-valid tests. No clock, no I/O.

Create the evidence of a step with ``accumulator.Evidence.fresh(workload, percent, now_ms)``, add data with
``fold_outcomes``, ``fold_scored`` and ``fold_feedback``, and read the result with ``verdicts``. The data passes through
these modules. This file imports none of them, so that a command that only names the gates starts without NumPy:

    outcome summaries                   scored pairs                        feedback
      accumulator, counted_requests       scored_pairs                        accumulator
      (which requests count; bursts:      (which pairs count: user_discount;
       burst_discount)                     two answers of one request:
            |                              noise_pair_matching, paired_copies)   |
            |                                    |                               |
            +------------------------------------+-------------------------------+
                                                 |
                                        gate_observations
                                                 |
                      gate_set: passes each observation to the gates that subscribe to its type
                                                 |
        which gates: gates_of_workload, gate_specs; how they are built: gate_factories; their base: gate_base;
        the gates: *_gate(s), fast_guards
                                                 |
        their tests: mixture; of rates: error_rate_tests, burst_tests; of means: betting; of quantiles:
        latency_ratio_test (latency_samples, dense_histogram, balanced_sampling); on pairs: paired_*_test
                                                 |
                            verdicts (with confidence, formatting, weighed_pairs)

``state_codec`` stores all of it. ``replay`` takes events of a file instead, for ``glidepath judge``.
"""
