"""IAM, KMS, SSM and Secrets Manager."""

from __future__ import annotations

import json
from typing import Any

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import (
    Accepted,
    ApiProvider,
    Created,
    Properties,
    Provider,
    call,
    tags_of,
    text,
)


class Role(Provider):
    type = "AWS::IAM::Role"
    name_property = "RoleName"

    def create(self, aws: Aws, properties: Properties) -> Created:
        role = call(aws, "iam", "CreateRole", {**properties, "Tags": tags_of(properties)})["Role"]
        _set_role_policies(aws, role["RoleName"], properties)
        return Created(role["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        if properties["RoleName"] != previous["RoleName"]:
            return super().update(aws, created, properties, previous)
        trust = text(properties["AssumeRolePolicyDocument"])
        aws.client("iam").update_assume_role_policy(RoleName=created.ref, PolicyDocument=trust)
        _clear_role_policies(aws, created.ref, previous)
        _set_role_policies(aws, created.ref, properties)
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        _clear_role_policies(aws, created.ref, properties)
        aws.client("iam").delete_role(RoleName=created.ref)


def _set_role_policies(aws: Aws, role: str, properties: Properties) -> None:
    iam = aws.client("iam")
    for policy in properties.get("Policies") or []:
        document = text(policy["PolicyDocument"])
        iam.put_role_policy(RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=document)
    for arn in properties.get("ManagedPolicyArns") or []:
        _ignoring_unknown_aws_policy(arn, lambda arn=arn: iam.attach_role_policy(RoleName=role, PolicyArn=arn))


def _clear_role_policies(aws: Aws, role: str, properties: Properties) -> None:
    iam = aws.client("iam")
    for policy in properties.get("Policies") or []:
        iam.delete_role_policy(RoleName=role, PolicyName=policy["PolicyName"])
    for arn in properties.get("ManagedPolicyArns") or []:
        _ignoring_unknown_aws_policy(arn, lambda arn=arn: iam.detach_role_policy(RoleName=role, PolicyArn=arn))


def _ignoring_unknown_aws_policy(arn: str, action: Any) -> None:
    """AWS's own managed policies are not loaded here, and permissions are not evaluated; an app's own must exist."""
    if ":iam::aws:policy/" not in arn:
        action()


class Policy(Provider):
    """An inline policy of roles."""

    type = "AWS::IAM::Policy"
    name_property = "PolicyName"

    def create(self, aws: Aws, properties: Properties) -> Created:
        document = text(properties["PolicyDocument"])
        for role in properties.get("Roles") or []:
            aws.client("iam").put_role_policy(RoleName=role, PolicyName=properties["PolicyName"], PolicyDocument=document)
        return Created(properties["PolicyName"], {"Id": properties["PolicyName"]})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        for role in properties.get("Roles") or []:
            aws.client("iam").delete_role_policy(RoleName=role, PolicyName=properties["PolicyName"])


class ManagedPolicy(Provider):
    type = "AWS::IAM::ManagedPolicy"
    name_property = "ManagedPolicyName"
    name_limit = 128

    def create(self, aws: Aws, properties: Properties) -> Created:
        parameters = {**properties, "PolicyName": properties["ManagedPolicyName"]}
        arn = call(aws, "iam", "CreatePolicy", parameters)["Policy"]["Arn"]
        for role in properties.get("Roles") or []:
            aws.client("iam").attach_role_policy(RoleName=role, PolicyArn=arn)
        return Created(arn, {"PolicyArn": arn})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        for role in properties.get("Roles") or []:
            aws.client("iam").detach_role_policy(RoleName=role, PolicyArn=created.ref)
        aws.client("iam").delete_policy(PolicyArn=created.ref)


class Key(Provider):
    type = "AWS::KMS::Key"

    def create(self, aws: Aws, properties: Properties) -> Created:
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in tags_of(properties)]
        parameters = {**properties, "Policy": properties.get("KeyPolicy"), "Tags": tags}
        key = call(aws, "kms", "CreateKey", parameters)["KeyMetadata"]
        if text(properties.get("EnableKeyRotation", False)) == "true":
            aws.client("kms").enable_key_rotation(KeyId=key["KeyId"])
        return Created(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        if policy := properties.get("KeyPolicy"):
            aws.client("kms").put_key_policy(KeyId=created.ref, PolicyName="default", Policy=text(policy))
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("kms").schedule_key_deletion(KeyId=created.ref, PendingWindowInDays=7)


class Parameter(Provider):
    type = "AWS::SSM::Parameter"
    name_property = "Name"
    name_limit = 1000

    def create(self, aws: Aws, properties: Properties) -> Created:
        return self._put(aws, {**properties, "Tags": tags_of(properties)})

    def update(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        if properties["Name"] != previous["Name"]:
            return super().update(aws, created, properties, previous)
        return self._put(aws, {**{k: v for k, v in properties.items() if k != "Tags"}, "Overwrite": True})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("ssm").delete_parameter(Name=created.ref)

    def _put(self, aws: Aws, properties: Properties) -> Created:
        call(aws, "ssm", "PutParameter", properties)
        return Created(properties["Name"], {"Type": properties["Type"], "Value": properties["Value"]})


class Secret(Provider):
    type = "AWS::SecretsManager::Secret"
    name_property = "Name"

    def create(self, aws: Aws, properties: Properties) -> Created:
        value = properties.get("SecretString")
        if generate := properties.get("GenerateSecretString"):
            password = call(aws, "secretsmanager", "GetRandomPassword", generate)["RandomPassword"]
            key = generate.get("GenerateStringKey")
            value = json.dumps({**json.loads(generate["SecretStringTemplate"]), key: password}) if key else password
        parameters = {**properties, "SecretString": value, "Tags": tags_of(properties)}
        arn = call(aws, "secretsmanager", "CreateSecret", parameters)["ARN"]
        return Created(arn, {"Id": arn})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("secretsmanager").delete_secret(SecretId=created.ref, ForceDeleteWithoutRecovery=True)


PROVIDERS: tuple[Provider, ...] = (
    Role(),
    Policy(),
    ManagedPolicy(),
    Key(),
    Parameter(),
    Secret(),
    ApiProvider(
        "AWS::KMS::Alias",
        "kms",
        "CreateAlias",
        ref=lambda properties, answer: properties["AliasName"],
        update_operation="UpdateAlias",
        delete_operation="DeleteAlias",
        delete_parameters=lambda ref, properties: {"AliasName": ref},
    ),
    Accepted("AWS::IAM::ServiceLinkedRole"),
    # moto would enforce the policy but without its conditions, so that "deny without TLS" would deny everything.
    Accepted("AWS::S3::BucketPolicy"),
    Accepted("AWS::SecretsManager::ResourcePolicy"),
    Accepted("AWS::WAFv2::WebACL", "Name", ("Arn", "Id", "LabelNamespace")),
    Accepted("AWS::WAFv2::WebACLAssociation"),
    Accepted("AWS::WAFv2::LoggingConfiguration"),
)
