"""Events and records on their way to Personalize, and users that are erased."""
