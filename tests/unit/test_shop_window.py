"""The storefront's server side: tokens of its personas, and items to browse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lambdas import config
from lambdas.config import ConfigError, Storefront
from lambdas.config.file import load_config
from lambdas.storefront.shop_window import catalogue
from lambdas.stores import user_tokens
from reco.local.synth import ROOT
from tests.unit.conftest import Deployment
from tests.unit.serving import put_item


@pytest.fixture
def window(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """The shop with a key, a secret and some items."""
    key = shop.client("apigateway").create_api_key(
        name=shop.config.name, enabled=True, value=f"key-of-browsers-of-{shop.config.name}"
    )
    monkeypatch.setenv("BROWSER_KEY_ID", key["id"])
    monkeypatch.setenv("TOKEN_SECRETS", f"{shop.config.name}-secrets")
    shop.client("secretsmanager").create_secret(Name=f"{shop.config.name}-secrets", SecretString="first")
    put_item(shop, "i1", TITLE="Garden chair", CATEGORY="garden", BRAND="b1", PRICE=19.5, STOCK=3)
    put_item(shop, "i2", TITLE="Chair cover", CATEGORY="garden", BRAND="b2", PRICE=5, STOCK=0)
    put_item(shop, "i3", TITLE="Kettle", CATEGORY="kitchen", BRAND="b1", PRICE=30, STOCK=1)
    forget()
    yield shop
    forget()


def forget() -> None:
    from lambdas.storefront.shop_window import handler

    user_tokens.forget()
    catalogue.forget()
    handler._browser_key.cache_clear()


def get(shop: Deployment, document: str, **query: str) -> tuple[int, dict[str, Any]]:
    from lambdas.storefront.shop_window import handler  # once the environment is there

    path = f"/storefront/{document}"
    event = {
        "resource": path,
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": query or None,
        "multiValueQueryStringParameters": {name: [value] for name, value in query.items()} or None,
        "requestContext": {"requestId": "r", "stage": "v1", "httpMethod": "GET", "path": path, "identity": {}},
        "body": None,
        "isBase64Encoded": False,
    }
    answer = shop.call(handler.handler, **event)
    return answer["statusCode"], json.loads(answer["body"])


def test_the_pages_learn_what_they_need_and_no_secret(window: Deployment) -> None:
    status, about = get(window, "shop.json")
    assert status == 200
    assert about["key"] == f"key-of-browsers-of-{window.config.name}"
    assert about["columns"] == {
        "title": "TITLE", "category": "CATEGORY", "brand": "BRAND", "price": "PRICE", "stock": "STOCK", "description": "DESCRIPTION",
    }  # fmt: skip
    assert about["events"] == {"view": "view", "cart": "cart", "buy": "buy"}
    assert about["categories"] == [{"name": "garden", "items": 2}, {"name": "kitchen", "items": 1}]
    assert {persona["id"] for persona in about["personas"]} == {"u1", "u2"}
    for persona in about["personas"]:
        assert user_tokens.user_of(window.config.name, persona["token"]) == persona["id"]
    assert "first" not in json.dumps(about)
    category = next(placement for placement in about["placements"] if placement["name"] == "category")
    assert (category["kind"], category["parameters"]) == ("USER_PERSONALIZATION", ["CATEGORY"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "chair"}, ["i2", "i1"]),  # titles that begin with the word come first
        ({"q": "gard CH"}, ["i1", "i2"]),
        ({"q": "hair"}, []),
        ({"q": ""}, []),
        ({"q": "kett kitchen"}, ["i3"]),
        ({"category": "garden"}, ["i1", "i2"]),
        ({"ids": "i3,gone,i1"}, ["i3", "i1"]),
        ({}, []),
    ],
)
def test_items_are_found(window: Deployment, query: dict[str, str], found: list[str]) -> None:
    status, answer = get(window, "items.json", **query)
    assert (status, [item["item_id"] for item in answer["items"]]) == (200, found)
    assert answer["whole"] is True


def test_a_large_catalogue_says_that_it_was_not_read_whole(window: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "MOST", 2)
    answer = get(window, "items.json", category="garden")[1]
    assert answer["whole"] is False


def test_an_empty_catalogue_is_looked_at_again(window: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "_AGAIN", -1.0)
    for item in ("i1", "i2", "i3"):
        window.client("dynamodb").delete_item(TableName=f"{window.config.name}-catalogue", Key={"item_id": {"S": item}})
    assert get(window, "shop.json")[1]["items"] == 0
    put_item(window, "i9", TITLE="New", CATEGORY="c")
    assert get(window, "shop.json")[1]["items"] == 1


def test_what_is_away_is_said_without_arns(window: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_SECRETS", "not-there")
    user_tokens.forget()
    status, answer = get(window, "shop.json")
    assert (status, answer["error"]["code"]) == (503, "unavailable")
    assert "arn:" not in json.dumps(answer)
    assert get(window, "nothing.json")[0] == 404


def shop_of(columns: dict[str, str], event_types: list[str], title: str | None = None) -> config.Config:
    """A config with items of these columns: "text", "category", "long text", or a type of numbers."""
    kinds = {"text": {"type": "string"}, "category": {"type": ["null", "string"], "categorical": True}}
    kinds["long text"] = {"type": ["null", "string"], "textual": True}
    fields = [{"name": name, **kinds.get(kind, {"type": kind})} for name, kind in columns.items()]
    schema = {
        "type": "record",
        "name": "Items",
        "namespace": "com.amazonaws.personalize.schema",
        "fields": [{"name": "ITEM_ID", "type": "string"}, *fields, {"name": "CREATION_TIMESTAMP", "type": "long"}],
        "version": "1.0",
    }
    raw = load_config(ROOT / "config" / "movielens.yaml").model_dump(mode="json", by_alias=True, exclude_defaults=True)
    raw["datasets"]["items"]["schema"] = schema
    raw |= {"event_types": {name: {} for name in event_types}, "display": {"title": title} if title else {}}
    raw["filters"] = {}
    raw["rules"] = {}
    raw["solutions"] = {"similar": {"recipe": "aws-similar-items", "campaign": {}}}
    raw["placements"] = {"item-page": {"solution": "similar"}}
    raw["api"] = {"browser_placements": ["item-page"]}
    return config.Config.model_validate(raw)


GERMAN = {"BEZEICHNUNG": "text", "WARENGRUPPE": "category", "MARKE": "category", "PREIS": "float", "BESTAND": "int"}
#: As Korean databases shorten words; names of columns are Latin letters (CreateSchema takes no others).
KOREAN = {"BRND_NM": "category", "GOODS_NM": "text", "CTGR_NM": "category", "SALE_PRC": "int", "STCK_QTY": "int"}
ROMANIZED = {"SANGPUM": "text", "BUNRYU": "category", "GAGYEOK": "double", "SEOLMYEONG": "long text"}


@pytest.mark.parametrize(
    ("columns", "title", "found"),
    [
        (GERMAN, None, {"title": "BEZEICHNUNG", "category": "WARENGRUPPE", "brand": "MARKE", "price": "PREIS", "stock": "BESTAND"}),
        (KOREAN, None, {"title": "GOODS_NM", "category": "CTGR_NM", "brand": "BRND_NM", "price": "SALE_PRC", "stock": "STCK_QTY"}),
        (ROMANIZED, None, {"title": "SANGPUM", "category": "BUNRYU", "price": "GAGYEOK"}),
        ({"NAME": "text", "PUMMYEONG": "text"}, "PUMMYEONG", {"title": "PUMMYEONG"}),
        ({"TITLE": "text", "PUMMYEONG": "text"}, "PUMMYEONG", {"title": "PUMMYEONG"}),
        ({"BRAND_NAME": "category", "PRODUCT_NAME": "text"}, None, {"title": "PRODUCT_NAME", "brand": "BRAND_NAME"}),
        ({"BRAND_NAME": "category", "CATEGORY_NAME": "category"}, None, {"brand": "BRAND_NAME", "category": "CATEGORY_NAME"}),
        ({"PRICE_RANGE": "category", "NET": "float", "RATING": "float"}, None, {"category": "PRICE_RANGE", "price": "NET"}),
        ({"WIDTH": "float", "HEIGHT": "float", "EAN_CODE": "text"}, None, {}),
    ],
)  # fmt: skip
def test_a_catalogue_is_known_by_the_config_by_words_of_several_languages_and_by_types(
    columns: dict[str, str], title: str | None, found: dict[str, str]
) -> None:
    from lambdas.storefront.shop_window.shop import shop as described

    assert described(shop_of(columns, ["view"], title), "key", "secret")["columns"] == found


@pytest.mark.parametrize(
    ("event_types", "found"),
    [
        (["Ansicht", "Warenkorb", "Kauf"], {"view": "Ansicht", "cart": "Warenkorb", "buy": "Kauf"}),
        (["구매취소", "상품조회", "장바구니", "구매"], {"view": "상품조회", "cart": "장바구니", "buy": "구매"}),
        (["remove_from_cart", "add_to_cart", "Rate"], {"cart": "add_to_cart", "view": "Rate"}),
        (["refund", "order"], {"buy": "order"}),
    ],
)
def test_event_types_are_known_in_several_languages(event_types: list[str], found: dict[str, str]) -> None:
    from lambdas.storefront.shop_window.shop import events

    assert events(shop_of(GERMAN, event_types)) == found


def test_a_shop_with_one_event_type_sends_it_for_a_click() -> None:
    from lambdas.storefront.shop_window.shop import events

    assert events(load_config(ROOT / "config" / "movielens.yaml")) == {"view": "Watch"}


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("storefront: true\napi: {}", "storefront: it has nothing to show; name its placements in api.browser_placements"),
        ("api: {browser_placements: [home]}", "api.browser_placements: no page may ask for them; name its origin in api.cors_origins"),
        ("storefront: true\napi: {browser_placements: [hme]}", "api.browser_placements[0]: there is no placement 'hme', did you mean 'home'?"),
        ("storefront: 7", "storefront: "),
    ],
)  # fmt: skip
def test_what_pages_may_not_ask_for_is_said(tmp_path: Any, said: str, problem: str) -> None:
    (tmp_path / "schemas").symlink_to(ROOT / "config" / "schemas")
    raw = yaml.safe_load((ROOT / "config" / "shop.yaml").read_text()) | {"storefront": None, "api": {}, "environments": {}}
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(raw | yaml.safe_load(said)))
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "shop.yaml")
    assert any(problem in found for found in error.value.problems), error.value.problems


def test_the_switch_may_be_a_word_or_a_section() -> None:
    raw = load_config(ROOT / "config" / "shop.yaml").model_dump(by_alias=True, mode="json", exclude_defaults=True)
    assert config.Config.model_validate(raw | {"storefront": True}).storefront == Storefront()
    assert config.Config.model_validate(raw | {"storefront": False}).storefront is None
