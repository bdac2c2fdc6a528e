"""Structured logs, one service name for each function (POWERTOOLS_SERVICE_NAME)."""

from aws_lambda_powertools import Logger

logger = Logger(log_uncaught_exceptions=True)
