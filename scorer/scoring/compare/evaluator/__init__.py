"""An optional evaluator model that judges the pairs that the other signals leave in doubt."""
