"""A serving function as one would write it first: Powertools' resolver, boto3 with its defaults, no rules, nothing kept.

It asks Personalize for as many items as it answers, and DynamoDB for their attributes, which is what samples do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayRestResolver


def serving_function(campaign: str, table: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    app = APIGatewayRestResolver()
    personalize, dynamodb = boto3.client("personalize-runtime"), boto3.resource("dynamodb")

    @app.get("/recommendations/<placement>")
    def recommendations(placement: str) -> dict[str, Any]:
        query = app.current_event["queryStringParameters"]
        answer = personalize.get_recommendations(
            campaignArn=campaign, userId=query["user_id"], numResults=int(query["num_results"])
        )
        keys = [{"item_id": item["itemId"]} for item in answer["itemList"]]
        rows = dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})["Responses"][table]
        attributes = {row["item_id"]: row["attributes"] for row in rows}
        items = [
            {"item_id": item["itemId"], "score": item["score"], "attributes": attributes.get(item["itemId"])}
            for item in answer["itemList"]
        ]
        return {"placement": placement, "recommendation_id": answer["recommendationId"], "items": items}

    return app.resolve
