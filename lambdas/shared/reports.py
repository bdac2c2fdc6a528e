"""Reports beside the data: what a run found and did, for whoever reads it later."""

from __future__ import annotations

import os

from lambdas.shared import clients


def write_report(key: str, text: str, content_type: str = "application/json") -> str:
    """Put a text below `reports/`; returns its s3:// address."""
    bucket = os.environ["DATA_BUCKET"]
    clients.s3().put_object(Bucket=bucket, Key=f"reports/{key}", Body=text.encode(), ContentType=content_type)
    return f"s3://{bucket}/reports/{key}"
