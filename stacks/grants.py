"""What a role may do, as data: calls, resources, and the reason for any resource that is a pattern."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aws_cdk import aws_iam as iam

from lambdas.config import Config
from stacks.acknowledged import acknowledge, wildcard

#: The reasons that recur.
NO_RESOURCE = "the call takes no resource: IAM accepts only * for it"
OWN_NAMES = "the deployment's own resources: their names start with its name and end in a part that a run decides"


@dataclass(frozen=True)
class Grant:
    """Exactly these calls on exactly these resources. `because` is due when a resource holds a wildcard."""

    actions: Sequence[str]
    resources: Sequence[str]
    because: str = ""
    conditions: Mapping[str, object] = field(default_factory=dict)

    def give(self, role: iam.Role) -> None:
        """Add the statement to the role's policy, and the reason for its wildcards to the acknowledged findings."""
        role.add_to_policy(
            iam.PolicyStatement(
                actions=list(self.actions), resources=list(self.resources), conditions=dict(self.conditions) or None
            )
        )
        patterns = [resource for resource in self.resources if "*" in resource]
        if patterns and not self.because:
            raise ValueError(f"the grant of {', '.join(self.actions)} holds a wildcard and no reason")
        acknowledge(role, {wildcard(role, pattern): self.because for pattern in patterns})


def use_key(config: Config, *calls: str) -> list[Grant]:
    """The key of the data bucket, where the shop brings one: who reads needs `Decrypt`, who writes `GenerateDataKey`.

    docs: AmazonS3/latest/userguide/UsingKMSEncryption.html
    """
    return [Grant([f"kms:{call}" for call in calls], [config.kms_key])] if config.kms_key else []
