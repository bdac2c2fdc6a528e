"""`reco evaluate` as an operator runs it, against moto and the Personalize emulator; nothing of it stays, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdas.config import Config
from lambdas.config.file import load_config
from reco.deployment.teardown import Owner, Teardown
from tests.unit.conftest import SHOP, Deployment, set_faults, settings

RECO = str(Path(sys.executable).with_name("reco"))
METRICS = {
    "normalized_discounted_cumulative_gain_at_25",
    "mean_reciprocal_rank_at_25",
    "precision_at_25",
    "coverage",
    "novelty_at_25",
    "diversity_at_25",
    "serendipity_at_25",
}


@dataclass
class Operator:
    """The command line in a folder of its own, for a deployment whose stacks have the outputs that it reads."""

    shop: Deployment
    config: Config
    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [RECO, "evaluate", "--aws", "--config", "shop.yaml", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=os.environ)

    def run(self, *arguments: str, answer: str = "", code: int = 0) -> tuple[str, str]:
        process = self.start(*arguments)
        said = process.communicate(answer, timeout=120)
        assert process.returncode == code, said
        return said

    def left(self) -> Any:
        """What there is of evaluations, in Personalize and in S3."""
        keys = [entry["Key"] for entry in self.shop.client("s3").list_objects_v2(Bucket=self.shop.bucket).get("Contents", [])]
        copies = [key for key in keys if "-evaluate-" in key]
        return Teardown(self.shop.client("personalize")).find(Owner.evaluation(self.config)), copies


@pytest.fixture
def operator(shop: Deployment, personalize_endpoint: str, tmp_path: Path) -> Iterator[Operator]:
    raw = yaml.safe_load(SHOP.read_text()) | {"name": shop.config.name}
    raw["solutions"]["fans"] = {"recipe": "aws-item-affinity"}
    (tmp_path / "schemas").symlink_to(SHOP.parent.absolute() / "schemas")
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    shop.put_all_csvs()
    outputs = {"storage": {"DataBucket": shop.bucket}, "training": {"PersonalizeRoleArn": os.environ["PERSONALIZE_ROLE_ARN"]}}
    for capability, values in outputs.items():
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in values.items()},
        }
        name = f"recostack-{shop.config.name}-{capability}"
        shop.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
    yield Operator(shop, load_config(tmp_path / "shop.yaml"), tmp_path)
    set_faults(personalize_endpoint, [])


def test_metrics_of_all_solutions_on_held_out_events(operator: Operator) -> None:
    out, said = operator.run("--yes", "--json", "--users", "40", "--plot", "plot.svg")
    found = json.loads(out)
    assert (found["users"], found["training_events"], found["held_events"]) == (40, 4320, 480)
    assert set(found["metrics"]) == {"for-you", "related", "ranking", "best-sellers", "(popularity, counted)"}
    assert all(set(values) == METRICS for values in found["metrics"].values())
    assert found["left_out"] == {"fans": "aws-item-affinity recommends users, not items"}
    ndcg = {name: values["normalized_discounted_cumulative_gain_at_25"] for name, values in found["metrics"].items()}
    assert ndcg["for-you"] > 2 * ndcg["(popularity, counted)"] > 0
    assert found["metrics"]["(popularity, counted)"]["serendipity_at_25"] == 0
    assert found["metrics"]["for-you"]["coverage"] > found["metrics"]["best-sellers"]["coverage"]
    assert "training for-you: 4320 interactions" in said
    assert "campaign best-sellers: 40 calls" in said
    assert (operator.folder / "plot.svg").read_text().startswith("<?xml")
    assert operator.left() == ({}, [])


def test_a_failed_solution_is_left_out_with_the_reason(operator: Operator, personalize_endpoint: str) -> None:
    faults = [{"operation": "CreateSolutionVersion", "action": "create-failed", "rate": 1, "seed": 1, "reason": "No capacity"}]
    set_faults(personalize_endpoint, faults)
    found = json.loads(operator.run("--yes", "--json")[0])
    assert set(found["metrics"]) == {"(popularity, counted)"}
    assert found["left_out"]["for-you"] == "CREATE FAILED: No capacity"
    assert operator.left() == ({}, [])


def test_an_interrupt_removes_what_was_made(operator: Operator, personalize_endpoint: str) -> None:
    usual = settings(personalize_endpoint)["durations"]
    settings(personalize_endpoint, {"durations": {"solution-version": [10**6, 10**6]}})  # it is interrupted while they train
    process = operator.start("--yes")
    try:
        assert process.stderr is not None
        assert any("training for-you, related" in line for line in iter(process.stderr.readline, ""))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1]
    finally:
        process.kill()
        settings(personalize_endpoint, {"durations": usual})
    assert process.returncode == 130, said
    assert "removing" in said
    assert operator.left() == ({}, [])


def test_nothing_is_made_when_the_operator_declines(operator: Operator) -> None:
    said = operator.run(answer="n\n", code=130)[1]
    assert "Amazon Personalize bills about $" in said
    assert operator.left() == ({}, [])


def test_a_plot_that_cannot_be_drawn_is_refused_first(operator: Operator) -> None:
    assert "ends in .svg or .png" in operator.run("--plot", "plot.pdf", code=1)[1]
    assert "there is no folder" in operator.run("--plot", "nowhere/plot.svg", code=1)[1]
