"""Planning before a ramp: estimate how long its steps take, and propose thresholds from existing data. Pure: no I/O."""
