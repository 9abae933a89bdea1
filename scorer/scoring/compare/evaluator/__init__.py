"""An optional evaluator: a model that decides which answer of a pair is better (ADR 0172)."""
