"""How functions talk to AWS: clients, rows of DynamoDB, calls made again, logs and metrics, what steps answer."""
