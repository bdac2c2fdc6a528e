"""The storefront's server side: what the server of a shop does for its pages. It signs for the personas of the config alone."""

from __future__ import annotations

import json
from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from lambdas.aws import clients
from lambdas.aws.observability import correlate, logger
from lambdas.config import environment
from lambdas.config.packed import packed_config
from lambdas.storefront.shop_window.catalogue import catalogue, categories, matching, named, of_category
from lambdas.storefront.shop_window.shop import shop
from lambdas.stores.user_tokens import secrets

_MOST_ITEMS, _MOST_WORDS = 60, 200
app = APIGatewayRestResolver()


@app.get("/storefront/shop.json")
def get_shop() -> Response[str]:
    config = packed_config()
    found = shop(config, _browser_key(), secrets()[0])
    known = catalogue()
    found["categories"] = categories(known, found["columns"].get("category"))
    return _answered(found | {"items": len(known.items), "whole": known.whole})


@app.get("/storefront/items.json")
def get_items() -> Response[str]:
    """Items by `ids` (with commas between), by `category`, or those that `q` finds."""
    columns = _shop_columns()
    query, known = app.current_event.resolved_query_string_parameters, catalogue()
    ids, category, words = (",".join(query.get(name, [])) for name in ("ids", "category", "q"))
    if ids:
        found = named(known, ids.split(",")[:_MOST_ITEMS])
    elif category:
        found = of_category(known, columns.get("category"), category, _MOST_ITEMS)
    else:
        searched = [columns[part] for part in ("title", "brand", "category") if part in columns]
        found = matching(known, words[:_MOST_WORDS], searched, _MOST_ITEMS)
    return _answered({"items": found, "whole": known.whole})


def _shop_columns() -> dict[str, str]:
    """The columns that have a part in how items look."""
    found: dict[str, str] = shop(packed_config(), "", "")["columns"]
    return found


@cache
def _browser_key() -> str:
    """The value of the browsers' API key, which all may read; kept for the life of the worker."""
    return str(clients.apigateway().get_api_key(apiKey=environment.current().browser_key_id, includeValue=True)["value"])


@app.not_found
def no_such_path(error: Exception) -> Response[str]:
    return _refused(HTTPStatus.NOT_FOUND, "no_such_route", "there is nothing at this path")


@app.exception_handler([ClientError, BotoCoreError])
def upstream_failed(error: Exception) -> Response[str]:
    """The cause is for the log alone: it may name ARNs."""
    logger.exception("upstream call failed")
    return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "the shop window is not available right now")


def _answered(document: dict[str, Any]) -> Response[str]:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Response(HTTPStatus.OK, "application/json", text, {"Cache-Control": "no-store"})


def _refused(status: HTTPStatus, code: str, message: str) -> Response[str]:
    return Response(status, "application/json", json.dumps({"error": {"code": code, "message": message}}))


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    correlate([event["requestContext"]["requestId"]])
    return app.resolve(event, context)
