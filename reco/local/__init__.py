"""The deployment on this machine: the CDK app synthesized, the local AWS environment started and found again."""
