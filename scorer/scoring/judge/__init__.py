"""Find the faults of one answer by itself, without the other side's answer."""
