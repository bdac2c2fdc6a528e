"""What IAM would say: every AWS call that a role makes is written down, to be held against the role's policies."""
