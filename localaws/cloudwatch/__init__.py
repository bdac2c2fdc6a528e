"""What services tell CloudWatch: metrics of their own, those in logs, and the logs."""
