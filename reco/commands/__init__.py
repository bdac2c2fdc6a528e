"""The commands: what they ask for, do and show."""
