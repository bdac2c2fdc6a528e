"""What one execution environment of the function keeps from call to call: clients, config, deployment, caches, breakers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from lambdas.aws.signed import DYNAMODB, KINESIS, PERSONALIZE_RUNTIME, SSM, SignedClient, SignedObjects
from lambdas.config import environment
from lambdas.config.packed import packed_config
from lambdas.serving.recommend.catalogue import Catalogue
from lambdas.serving.recommend.erased import Erasures
from lambdas.serving.recommend.experiments import Exposures
from lambdas.serving.recommend.override import Documents
from lambdas.serving.recommend.sources import CAMPAIGN_SHARE, Campaigns, Snapshots
from lambdas.serving.recommend.task import Recent
from lambdas.stores.batch_lists import BatchLists
from lambdas.stores.recent_items import recent_items


@dataclass(frozen=True)
class Worker:
    """All that a call asks and that outlives it. `recent_items` gives a user's, by event type: item id to seconds ago."""

    documents: Documents
    campaigns: Campaigns
    catalogue: Catalogue
    erasures: Erasures
    batch_lists: BatchLists
    recent_items: Callable[[str], Recent]
    snapshots: Snapshots
    exposures: Exposures


@cache
def worker() -> Worker:
    """The worker of this process. To make its clients takes time: it comes before the budget of the first call begins."""
    config, given = packed_config(), environment.current()
    dynamodb = SignedClient(DYNAMODB)
    seconds = config.serving.time_budget_ms / 1000 * CAMPAIGN_SHARE
    catalogue = Catalogue(dynamodb, given.catalogue_table)
    return Worker(
        Documents(SignedClient(SSM), given.rules_parameter, given.deployment_parameter, config),
        Campaigns(SignedClient(PERSONALIZE_RUNTIME, connect_seconds=seconds, seconds=seconds)),
        catalogue,
        Erasures(dynamodb, given.erasures_table),
        BatchLists(dynamodb, given.batch_lists_table),
        partial(recent_items, dynamodb, given.recent_items_table),
        Snapshots(SignedObjects(), given.data_bucket, catalogue.keep),
        Exposures(SignedClient(KINESIS), given.event_stream),
    )
