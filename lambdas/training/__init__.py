"""From CSVs to campaigns: the functions of the train state machine, and what only they share."""
