"""Planning before a ramp: estimate how long its steps take, and propose limits of gates from data. Pure: no I/O."""
