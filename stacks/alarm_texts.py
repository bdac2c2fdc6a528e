"""What each alarm says: what failed, what users notice, what to do next. docs/alarms.md has the same table, with links."""

from __future__ import annotations

ALARM_TEXTS = {
    "api-errors": "More than 1 % of the API's calls fail: pages lack recommendations. Run `reco verify`",
    "api-slow": "1 % of the API's calls take longer than a second: pages are slow. "
    "Compare the campaigns' latency in the dashboard",
    "archive-late": "Firehose archives events more than 15 minutes late: the stream keeps them 7 days. Read the log of Firehose",
    "archive-run-failed": "The archive run failed: erased users may remain, retention figures are stale. Look at its execution",
    "batch-run-failed": "A batch run failed: the API serves the last run's lists until they expire. Run `reco batch --wait`",
    "browser-api-errors": "More than 1 % of the browsers' calls fail: pages send their events again. Look at stream-full",
    "catalogue-failing": "`recommend` can't read items' attributes: lists come without business rules. "
    "Look at DynamoDB's throttled requests",
    "dead-letters": "Records were rejected: Personalize does not learn from them. Run `reco redrive --list`",
    "erase-user-errors": "Lambda reports errors of `erase_user`: deletion requests fail with 502, call them again. "
    "Read the function's log",
    "erasures-failing": "Deletion requests fail with 503 and are not recorded: call them again. Read the log of `erase_user`",
    "events-late": "Events reach Personalize more than a minute late: lists don't follow what users do. "
    "Look at put-events-throttled",
    "missed-starts": "EventBridge could not start a run or the daily deletion: lists and models get old. "
    "Read its message in the queue",
    "personalize-failing": "Calls of campaigns fail: users get fallback lists. Run `reco utilization`",
    "put-events-errors": "Lambda reports errors of `put_events`: events arrive late. "
    "Read the function's log, then run `reco redrive`",
    "put-events-throttled": "Personalize throttles PutEvents: events arrive late, none is lost. Ask AWS for a higher quota",
    "put-records-errors": "Lambda reports errors of `put_records`: items and users arrive late. "
    "Read the function's log, then run `reco redrive`",
    "recent-items-failing": "`put_events` can't write users' recent items: lists may show what users just bought. "
    "Read the function's log",
    "recommend-errors": "Lambda reports errors of `recommend`: its callers get 502. Read the function's log",
    "recommend-throttled": "Lambda throttles `recommend`: the account's concurrency is used up; callers get 5xx. "
    "Ask AWS for more",
    "records-stuck": "Items or users failed 100 attempts: lists show old prices and stock. "
    "Read the log of `put_records`, then `reco redrive`",
    "rules-override-broken": "The document of business rules in SSM is not valid: `recommend` keeps the last valid one. "
    "Correct or delete it",
    "short-lists": "Lists are shorter than callers ask for: relax filters or add a fallback. Run `reco recommend` with --explain",
    "stream-full": "Kinesis is throttling writes: API callers get 503 or 207 and must retry. Warm the stream up",
    "train-run-failed": "A train run failed, timed out or was stopped: the old versions go on serving. Run `reco report --open`",
    "user-deletion-errors": "Lambda reports errors of `delete_user_data`: Personalize keeps data of erased users. "
    "Read the function's log",
    "user-deletion-failed": "A deletion job of Personalize failed: models still learn from erased users. "
    "Read the log of `delete_user_data`",
}
