"""Amazon Personalize: the types that CloudFormation has, made by the emulator."""

from __future__ import annotations

from localaws.moto.cloudformation.provider import Answer, ApiProvider, Properties, Provider


def _provider(kind: str) -> Provider:
    member = f"{kind[0].lower()}{kind[1:]}Arn"

    def arn(properties: Properties, answer: Answer) -> str:
        return str(answer[member])

    return ApiProvider(
        f"AWS::Personalize::{kind}",
        "personalize",
        f"Create{kind}",
        ref=arn,
        name_property="Name",
        attributes={f"{kind}Arn": arn},
        delete_operation=f"Delete{kind}",
        delete_parameters=lambda ref, properties: {member: ref},
        outlives=True,
    )


PROVIDERS: tuple[Provider, ...] = tuple(_provider(kind) for kind in ("Schema", "DatasetGroup", "Dataset", "Solution"))
