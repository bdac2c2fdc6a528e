"""All resource types that localaws makes itself."""

from __future__ import annotations

from localaws.moto.cloudformation import (
    compute,
    custom_resource,
    gateway,
    messaging,
    observability,
    personalize,
    security,
    storage,
)
from localaws.moto.cloudformation.provider import Provider

PROVIDERS: tuple[Provider, ...] = (
    *storage.PROVIDERS,
    *compute.PROVIDERS,
    *gateway.PROVIDERS,
    *messaging.PROVIDERS,
    *security.PROVIDERS,
    *observability.PROVIDERS,
    *personalize.PROVIDERS,
    *custom_resource.PROVIDERS,
)
