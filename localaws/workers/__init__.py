"""Runs Lambda functions: AWS's own runtime client (awslambdaric) in a process of its own, behind a small Lambda Runtime API."""
