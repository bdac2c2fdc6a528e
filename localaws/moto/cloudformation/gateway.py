"""API Gateway REST APIs."""

from __future__ import annotations

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import (
    Accepted,
    ApiProvider,
    Created,
    Properties,
    Provider,
    call,
    text,
)


class RestApi(Provider):
    type = "AWS::ApiGateway::RestApi"
    name_property = "Name"
    fixed = ()
    not_emulated = ("Body", "BodyS3Location", "BinaryMediaTypes")  # resources and methods are declared, in UTF-8

    def create(self, aws: Aws, properties: Properties) -> Created:
        api_id = call(aws, "apigateway", "CreateRestApi", properties)["id"]
        root = aws.client("apigateway").get_resources(restApiId=api_id)["items"][0]["id"]
        return Created(api_id, {"RestApiId": api_id, "RootResourceId": root})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        patches = [
            {"op": "replace", "path": f"/{name[0].lower()}{name[1:]}", "value": text(properties[name])}
            for name in ("Name", "Description", "ApiKeySourceType")
            if name in properties and properties[name] != previous.get(name)
        ]
        if patches:
            aws.client("apigateway").update_rest_api(restApiId=created.ref, patchOperations=patches)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("apigateway").delete_rest_api(restApiId=created.ref)


def _model(properties: Properties) -> Properties:
    schema = text(properties["Schema"])
    if "/models/" in schema:
        raise ValueError("references to other models in a model's schema are not emulated")
    return {"ContentType": "application/json", **properties, "Schema": schema}


class Method(Provider):
    type = "AWS::ApiGateway::Method"

    def check(self, properties: Properties) -> None:
        """Parameters are constants in quotes; what depends on the request is for mapping templates."""
        integration = properties.get("Integration") or {}
        responses = integration.get("IntegrationResponses") or []
        mappings = [integration.get("RequestParameters"), *(response.get("ResponseParameters") for response in responses)]
        for name, source in (pair for mapping in mappings for pair in (mapping or {}).items()):
            if not text(source).startswith("'"):
                raise ValueError(f"{name} is mapped from {source}: only constants in single quotes are emulated")
        declared = {text(response["StatusCode"]): response for response in properties.get("MethodResponses") or []}
        for response in responses:
            _check_declared(response, declared)

    def create(self, aws: Aws, properties: Properties) -> Created:
        key = {name: properties[name] for name in ("RestApiId", "ResourceId", "HttpMethod")}
        call(aws, "apigateway", "PutMethod", {"AuthorizationType": "NONE", **properties})
        for response in properties.get("MethodResponses") or []:
            call(aws, "apigateway", "PutMethodResponse", {**response, **key})
        if integration := properties.get("Integration"):
            defaults = {"IntegrationHttpMethod": "POST", "Uri": ""}  # moto wants both, also for MOCK
            call(aws, "apigateway", "PutIntegration", {**defaults, **integration, **key})
            for response in integration.get("IntegrationResponses") or []:
                call(aws, "apigateway", "PutIntegrationResponse", {"SelectionPattern": "", **response, **key})
        return Created(f"{key['ResourceId']}-{key['HttpMethod']}")

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("apigateway").delete_method(
            restApiId=properties["RestApiId"],
            resourceId=properties["ResourceId"],
            httpMethod=properties["HttpMethod"],
        )


def _check_declared(response: Properties, declared: Properties) -> None:
    """An integration's response has to be one of the method's, and so have the headers that it is mapped to.

    docs: apigateway/latest/api/API_PutIntegrationResponse.html
    """
    of_method = declared.get(text(response["StatusCode"]))
    if of_method is None:
        raise ValueError("Invalid Response status code specified")
    for name in response.get("ResponseParameters") or {}:
        if name not in (of_method.get("ResponseParameters") or {}):
            invalid = f"Invalid mapping expression parameter specified: {name}"
            raise ValueError(f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{invalid}]")


class ApiKey(Provider):
    type = "AWS::ApiGateway::ApiKey"
    name_property = "Name"

    def create(self, aws: Aws, properties: Properties) -> Created:
        """A value that the template leaves open is random, and the same after a restart."""
        own = {name: value for name, value in properties.items() if name != "StageKeys"}
        value = aws.derive("api-key", properties["Name"])
        key = str(call(aws, "apigateway", "CreateApiKey", {"Enabled": True, "Value": value, **own})["id"])
        return Created(key, {"APIKeyId": key})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("apigateway").delete_api_key(apiKey=created.ref)


class Stage(Provider):
    type = "AWS::ApiGateway::Stage"
    fixed = ("RestApiId", "StageName")

    def create(self, aws: Aws, properties: Properties) -> Created:
        call(aws, "apigateway", "CreateStage", properties)
        return Created(properties["StageName"])

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        patches = [{"op": "replace", "path": "/deploymentId", "value": properties["DeploymentId"]}]
        for name, value in (properties.get("Variables") or {}).items():
            patches.append({"op": "replace", "path": f"/variables/{name}", "value": str(value)})
        aws.client("apigateway").update_stage(restApiId=properties["RestApiId"], stageName=created.ref, patchOperations=patches)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("apigateway").delete_stage(restApiId=properties["RestApiId"], stageName=created.ref)


PROVIDERS: tuple[Provider, ...] = (
    RestApi(),
    Method(),
    Stage(),
    ApiProvider(
        "AWS::ApiGateway::Resource",
        "apigateway",
        "CreateResource",
        ref="id",
        attributes={"ResourceId": "id"},
        delete_operation="DeleteResource",
        delete_parameter="resourceId",
    ),
    ApiProvider(
        "AWS::ApiGateway::Deployment",
        "apigateway",
        "CreateDeployment",
        ref="id",
        attributes={"DeploymentId": "id"},
        delete_operation="DeleteDeployment",
        delete_parameter="deploymentId",
    ),
    ApiProvider(
        "AWS::ApiGateway::Model",
        "apigateway",
        "CreateModel",
        name_property="Name",
        prepare=_model,
        delete_operation="DeleteModel",
        delete_parameter="modelName",
    ),
    ApiProvider(
        "AWS::ApiGateway::RequestValidator",
        "apigateway",
        "CreateRequestValidator",
        ref="id",
        attributes={"RequestValidatorId": "id"},
        delete_operation="DeleteRequestValidator",
        delete_parameter="requestValidatorId",
    ),
    ApiProvider(
        "AWS::ApiGateway::GatewayResponse",
        "apigateway",
        "PutGatewayResponse",
        ref=lambda properties, answer: properties["ResponseType"],
        update_operation="PutGatewayResponse",
        delete_operation="DeleteGatewayResponse",
    ),
    ApiProvider(
        "AWS::ApiGateway::UsagePlan",
        "apigateway",
        "CreateUsagePlan",
        ref="id",
        attributes={"Id": "id"},
        name_property="UsagePlanName",
        prepare=lambda properties: {**properties, "Name": properties["UsagePlanName"]},
        delete_operation="DeleteUsagePlan",
        delete_parameter="usagePlanId",
    ),
    ApiKey(),
    ApiProvider(
        "AWS::ApiGateway::UsagePlanKey",
        "apigateway",
        "CreateUsagePlanKey",
        ref=lambda properties, answer: f"{properties['KeyId']}:{properties['UsagePlanId']}",
        delete_operation="DeleteUsagePlanKey",
    ),
    Accepted("AWS::ApiGateway::Account"),
)
