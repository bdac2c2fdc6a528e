"""What an environment holds is on disk: written before a call is answered, and there again after a restart.

Restoring puts things back without calling anybody: it fires no notification, trigger or schedule.
"""
