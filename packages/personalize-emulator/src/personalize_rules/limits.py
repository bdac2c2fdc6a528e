"""Lengths, counts and names. docs: personalize/latest/dg/limits.html, API_Operations.html"""

from __future__ import annotations

import re
from typing import Final

# Names and texts of requests: the service's own model of its API.
NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{0,62}")
MAX_SCHEMA: Final = 20_000
MAX_FILTER: Final = 2_500

# Values of data, in characters.
MAX_ID: Final = 256
MAX_TEXT: Final = 1_000
"""Of a category, a plain string, impressions; several categories of one cell count together."""
MAX_TEXTUAL: Final = 20_000
MAX_TEXTUAL_CJK: Final = 7_000
"""Of a textual value in Chinese or Japanese."""

# Bulk imports.
MIN_IMPORTED_INTERACTIONS: Final = 1_000
"""Rows of one import job of an Interactions dataset, in either mode."""
# Guess: a gigabyte is 1,000,000,000 bytes.
MAX_IMPORT_BYTES: Final = {"FULL": 100_000_000_000, "INCREMENTAL": 1_000_000_000}
"""Of one import job."""
MAX_TYPES_AND_COLUMNS: Final = 10
"""Distinct event types and metadata columns of an Interactions dataset together."""

# Training.
MIN_INTERACTIONS: Final = 1_000
"""Distinct ones, of those that a solution trains on."""
MIN_USERS: Final = 25
"""With at least two of those interactions each."""
MIN_SHARE_OF_USERS: Final = 0.01
"""Of all users that have an interaction, how many must have two."""

# Counts in an account and region that it may ask to raise.
SCHEMAS: Final = 500
DATASET_GROUPS: Final = 5
SOLUTIONS_PER_DATASET_GROUP: Final = 10
CAMPAIGNS_PER_DATASET_GROUP: Final = 5

# Filters.
FIELDS_PER_FILTER: Final = 10
FIELDS_PER_DATASET_GROUP: Final = 20
FILTERS_PER_DATASET_GROUP: Final = 30
EVENTS_SEEN_BY_FILTERS: Final = {"INTERACTIONS": 100, "ACTION_INTERACTIONS": 300}
"""Of each user and event type, the newest."""
MAX_FILTER_VALUE: Final = 1_000
"""All values of one placeholder in a request, quotation marks and commas included."""

# Streamed records. The texts are in characters, an event in bytes.
EVENTS_PER_CALL: Final = 10
EVENT_BYTES: Final = 10_240
MAX_EVENT_PROPERTIES: Final = 1_024
MAX_IMPRESSION: Final = 25
MAX_RECOMMENDATION_ID: Final = 40
RECORDS_PER_CALL: Final = 10
MAX_RECORD_PROPERTIES: Final = {"ITEMS": 32_000, "USERS": 24_000, "ACTIONS": 32_000}

# Real-time answers.
MAX_RECOMMENDATIONS: Final = 500
"""Of one GetRecommendations, without metadata."""
MAX_RANKED_ITEMS: Final = 500
"""Of one GetPersonalizedRanking."""

# Data deletion jobs.
MAX_DELETION_BYTES: Final = 100_000_000

# Metric attributions.
MAX_METRICS: Final = 10
MAX_ATTRIBUTION_SOURCES: Final = 100

# Batch jobs.
MAX_BATCH_FILES: Final = 1_000
MAX_BATCH_BYTES: Final = 1_000_000_000
MAX_BATCH_LINES: Final = 50_000_000
"""Of one file."""
MAX_THEMED_ITEMS: Final = 100
MAX_RESULTS: Final = {"batch-inference-job": 500, "batch-segment-job": 5_000_000}
MAX_ITEM_QUERIES: Final = 500
MAX_ATTRIBUTE_QUERIES: Final = 10
