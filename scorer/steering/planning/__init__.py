"""Planning before a ramp: how long its steps take, and which thresholds the data so far suggest. Pure: no I/O."""
