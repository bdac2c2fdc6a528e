"""The deployment on this machine: the CDK app synthesized, the embedded AWS started and found again."""
