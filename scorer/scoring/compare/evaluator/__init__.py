"""An optional evaluator model that says which answer of a pair is better (ADR 0172)."""
