"""The rules of Amazon Personalize: what it accepts, what it refuses, and why. Standard library alone.

Whoever must know a rule asks here: functions in Lambda, Spark jobs, the command line, and the emulator, which answers as the
service does. A rule cites its page of the developer guide (personalize/latest/dg/...). Where neither the documentation nor a
recorded answer says what the service does, the rule is a guess, and a comment beside it begins with "Guess:"; docs/guesses.md
lists them all.
"""
