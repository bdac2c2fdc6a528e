"""IAM, KMS, SSM and Secrets Manager."""

from __future__ import annotations

from localaws.clients import Aws
from localaws.moto.cloudformation.provider import (
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

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
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
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)


def _clear_role_policies(aws: Aws, role: str, properties: Properties) -> None:
    iam = aws.client("iam")
    for policy in properties.get("Policies") or []:
        iam.delete_role_policy(RoleName=role, PolicyName=policy["PolicyName"])
    for arn in properties.get("ManagedPolicyArns") or []:
        iam.detach_role_policy(RoleName=role, PolicyArn=arn)


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


class Parameter(Provider):
    type = "AWS::SSM::Parameter"
    name_property = "Name"
    name_limit = 1000

    def create(self, aws: Aws, properties: Properties) -> Created:
        return self._put(aws, {**properties, "Tags": tags_of(properties)})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        return self._put(aws, {**{k: v for k, v in properties.items() if k != "Tags"}, "Overwrite": True})

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("ssm").delete_parameter(Name=created.ref)

    def _put(self, aws: Aws, properties: Properties) -> Created:
        call(aws, "ssm", "PutParameter", properties)
        return Created(properties["Name"], {"Type": properties["Type"], "Value": properties["Value"]})


class Secret(Provider):
    type = "AWS::SecretsManager::Secret"
    name_property = "Name"
    fixed = ("Name", "GenerateSecretString", "SecretString")
    name_limit = 500
    not_emulated = ("GenerateSecretString.SecretStringTemplate", "ReplicaRegions")

    def create(self, aws: Aws, properties: Properties) -> Created:
        """A value that is to be generated is hexadecimal, as long as asked for, and the same after a restart."""
        generated = properties.get("GenerateSecretString")
        length = int((generated or {}).get("PasswordLength", 32))
        value = aws.derive("secret", properties["Name"], length=length) if generated is not None else ""
        arn = str(call(aws, "secretsmanager", "CreateSecret", {"SecretString": value, **properties})["ARN"])
        return Created(arn, {"Id": arn})

    def change(self, aws: Aws, created: Created, properties: Properties, previous: Properties) -> Created:
        """Its value stays: CloudFormation generates one at the creation alone, unless how it is generated changes."""
        aws.client("secretsmanager").update_secret(SecretId=created.ref, Description=properties.get("Description", ""))
        return created

    def delete(self, aws: Aws, created: Created, properties: Properties) -> None:
        aws.client("secretsmanager").delete_secret(SecretId=created.ref, ForceDeleteWithoutRecovery=True)


PROVIDERS: tuple[Provider, ...] = (
    Role(),
    Policy(),
    Parameter(),
    Secret(),
    ApiProvider(
        "AWS::S3::BucketPolicy",
        "s3",
        "PutBucketPolicy",
        ref=lambda properties, answer: properties["Bucket"],
        prepare=lambda properties: {"Bucket": properties["Bucket"], "Policy": properties["PolicyDocument"]},
        update_operation="PutBucketPolicy",
        delete_operation="DeleteBucketPolicy",
    ),
)
