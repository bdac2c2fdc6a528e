"""Lists made ahead: the functions of the batch state machine, and what only they share."""
