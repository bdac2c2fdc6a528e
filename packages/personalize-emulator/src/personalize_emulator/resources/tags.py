"""Tags of resources."""

from typing import Any

from personalize_emulator.errors import InvalidInput, ResourceNotFound, TooManyTagKeys
from personalize_emulator.resources.context import Context, Operation, Request
from personalize_emulator.resources.records import Resource
from personalize_emulator.resources.types import TYPES


class Tags:
    def __init__(self, context: Context) -> None:
        self.context = context

    def operations(self) -> dict[str, Operation]:
        """The operations of this module by their API names."""
        return {
            "TagResource": self.tag_resource,
            "UntagResource": self.untag_resource,
            "ListTagsForResource": self.list_tags_for_resource,
        }

    def tag_resource(self, request: Request) -> dict[str, Any]:
        resource = self._find(request)
        resource.tags = self.context.checked_tags(resource.tags, request["tags"])
        self.context.store.put(resource)
        return {}

    def untag_resource(self, request: Request) -> dict[str, Any]:
        resource = self._find(request)
        most = self.context.quotas.tags_per_resource
        if len(request["tagKeys"]) > most:
            raise TooManyTagKeys(f"tagKeys: a resource can have at most {most} tags, not {len(request['tagKeys'])}")
        for key in request["tagKeys"]:
            resource.tags.pop(key, None)
        self.context.store.put(resource)
        return {}

    def list_tags_for_resource(self, request: Request) -> dict[str, Any]:
        tags = self._find(request).tags
        return {"tags": [{"tagKey": key, "tagValue": value} for key, value in tags.items()]}

    def _find(self, request: Request) -> Resource:
        arn = request["resourceArn"]
        resource = self.context.store.get(arn)
        if resource is None:
            raise ResourceNotFound(f"Resource Arn {arn} does not exist.")
        if not TYPES[resource.type].taggable:
            raise InvalidInput(f"resourceArn: a {resource.type} cannot be tagged")
        return resource
