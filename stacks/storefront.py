"""The storefront: pages at the browsers' API, and the function that is the shop's server to them."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from constructs import Construct

from lambdas.config import Config, environment
from stacks import names
from stacks.acknowledged import acknowledge
from stacks.functions import Functions
from stacks.grants import Grant
from stacks.layer import ROOT
from stacks.pages import Pages

#: Where the pages are, below the API's stage; the first is the one to open.
_PATH, FIRST = "storefront", "storefront/index.html"
_FOLDER, _CLIENT = ROOT / "storefront", ROOT / "client" / "recostack.js"


class Storefront(Construct):
    """Adds the pages to the browsers' API."""

    def __init__(self, scope: Construct, config: Config, api: apigateway.RestApi, key: apigateway.ApiKey) -> None:
        super().__init__(scope, "Storefront")
        pages = Pages(self, "Pages", api)
        for file in sorted(_FOLDER.rglob("*")):
            if file.suffix in (".html", ".css", ".js"):
                pages.add(f"{_PATH}/{file.relative_to(_FOLDER).as_posix()}", file)
        pages.add(f"{_PATH}/{_CLIENT.name}", _CLIENT)
        stack, table = cdk.Stack.of(self), names.catalogue_table(config)
        function = Functions(self, config, "storefront").add(
            "shop_window",
            description="Is the shop's server to the storefront: tokens of its personas, items to browse",
            grants=[
                Grant(["apigateway:GET"], [f"arn:{cdk.Aws.PARTITION}:apigateway:{cdk.Aws.REGION}::/apikeys/{key.key_id}"]),
                Grant(["dynamodb:Scan"], [stack.format_arn(service="dynamodb", resource=f"table/{table}")]),
                Grant(["secretsmanager:GetSecretValue"], [names.token_secrets_arn(config)]),
            ],
            environment=environment.ShopWindow(
                browser_key_id=key.key_id,
                catalogue_table=table,
                token_secrets=names.token_secrets(config),
            ),
            memory_mb=1024,
        )
        shop_window = apigateway.LambdaIntegration(function)
        for document in ("shop.json", "items.json"):
            method = api.root.resource_for_path(f"{_PATH}/{document}").add_method("GET", shop_window)
            reason = (
                "whoever opens the storefront may see the catalogue and be one of its personas; the stage's throttle bounds it"
            )
            acknowledge(method, {"CKV_AWS_59": reason})
