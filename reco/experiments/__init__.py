"""Which variant of an experiment does better."""
