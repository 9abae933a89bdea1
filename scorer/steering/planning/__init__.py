"""What to expect before a ramp begins: how long its steps take, and which thresholds the data so far suggest. Pure."""
