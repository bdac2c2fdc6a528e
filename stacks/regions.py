"""Where a deployment can be: the regions that have Amazon Personalize have all the other services too."""

from __future__ import annotations

#: docs: general/latest/gr/personalize.html. Beijing has it too, in another partition, for which nothing here was tried.
_AS_OF = "2026-11-24"
REGIONS = frozenset(
    {
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-south-1",
        "ap-southeast-1",
        "ap-southeast-2",
        "ca-central-1",
        "eu-central-1",
        "eu-west-1",
        "us-east-1",
        "us-east-2",
        "us-west-2",
    }
)


class RegionError(Exception):
    """A region in which the app can't be deployed."""


def require_region(region: str | None) -> None:
    """Raises RegionError unless Amazon Personalize is in the region; one that is not known yet may be any."""
    if region is not None and region not in REGIONS:
        raise RegionError(
            f"Amazon Personalize is not in the region {region} (as of {_AS_OF}): "
            f"choose another one with -c region=..., of {', '.join(sorted(REGIONS))}."
        )
