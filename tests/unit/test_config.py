"""The config: what is valid, and what an error says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from lambdas.config import ConfigError
from lambdas.config.file import load_config
from lambdas.config.operations import Schedules
from lambdas.config.validation import json_schema

MOVIELENS = Path("config/movielens.yaml").read_text()


@pytest.mark.parametrize("name", ["movielens", "shop"])
def test_shipped_configs_are_valid(name: str) -> None:
    config = load_config(Path(f"config/{name}.yaml"))
    assert config.name == name
    assert set(config.datasets.present()) == {"interactions", "items", "users"}


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("aws-similar-items", "aws-similar-item", "solutions.related.recipe: unknown recipe 'aws-similar-item', did you mean 'aws-similar-items'?"),
        ("solution: ranking", "solution: rank", "placements.search.solution: there is no solution 'rank', did you mean 'ranking'?"),
        ("filter: since}", "filter: sinse}", "placements.recent.filter: there is no filter 'sinse', did you mean 'since'?"),
        ("num_results: 10", "num_results: 501", "placements.home.num_results: Input should be less than or equal to 500"),
        ("name: movielens", "name: Movie Lens", "name: String should match pattern"),
        ("name: movielens\n", "", "name: is required"),
        ("name: movielens\n", "name: movielens\ntags: {'recostack:deployment': other}\n", "tags: the key 'recostack:deployment' is taken"),
        ("campaign: {}\n", "campaign: {tps: 2}\n", "solutions.for-you.campaign.tps: there is no such setting"),
        ("campaign: {}\n", "campaign: {min_provisioned_tps: 0}\n", "solutions.for-you.campaign.min_provisioned_tps: Input should be greater"),
        ("campaign: {}\n", "campaign: {exploration_weight: 0.3}\n", "solutions.for-you.campaign.exploration_weight: is not supported by recipe aws-user-personalization-v2"),
        ("recipe: aws-popularity-count", "recipe: aws-popularity-count, event_type: Click", "solutions.popular.event_type: there is no event type 'Click'"),
        ("ranking-v2, campaign: {}}", "ranking-v2}", "placements.search.solution: 'ranking' has no campaign"),
        ("mixed_genres]", "mixed_genre]", "placements.home.rules[1]: there is no rule 'mixed_genre', did you mean 'mixed_genres'?"),
        ("by: [GENRES]", "by: [GENRE]", "rules.mixed_genres.diversify: items have no column 'GENRE', did you mean 'GENRES'?"),
        ("event_types: [Watch], ", "event_types: [Wach], ", "rules.not_just_watched.drop_recent.event_types: there is no event type 'Wach'"),
        ("mixed_genres: {diversify", "mixed_genres: {sort: {by: YEAR}, diversify", "rules.mixed_genres: needs exactly one of"),
        ("fallback: [popular]", "fallback: [ranking]", "placements.home.fallback[0]: 'ranking' can't make a list"),
        ("solution: ranking}", "solution: ranking, fallback: [popular]}", "placements.search.fallback[0]: a ranking has one fallback, 'given'"),
        (
            'unseen: \'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Watch")\'',
            "unseen: 'EXCLUDE ItemID WHERE Items.YEAR < 1990 IF CurrentUser.AGE < 17'",
            "placements.home.filter: 'unseen' can't be applied to fallbacks: CurrentUser is known to Personalize alone",
        ),
        ("movielens/users.json", "movielens/items.json", "datasets.users.schema: name must be 'Users', not 'Items'"),
        ("movielens/users.json", "movielens/people.json", "datasets.users.schema: there is no file"),
        ("filters:", "filters:\n  since: x\nfilters:", "the key 'filters' stands twice"),
        ("solutions:", "solutions: [", "not YAML"),
    ],
)  # fmt: skip
def test_a_problem_is_named_with_its_path(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in MOVIELENS
    broken = tmp_path / "broken.yaml"
    broken.write_text(MOVIELENS.replace(old, new, 1))
    (tmp_path / "schemas").symlink_to(Path("config/schemas").resolve())
    with pytest.raises(ConfigError) as raised:
        load_config(broken)
    assert any(problem in found for found in raised.value.problems), raised.value.problems


@pytest.mark.parametrize("expression", ["rate(1 day)", "rate(12 hours)", "cron(0 3 ? * SUN *)", "cron(0/15 8-18 LW 1,7 ? 2027)"])
def test_a_schedule_is_written_as_aws_takes_it(expression: str) -> None:
    assert Schedules.model_validate({"train": expression}).train == expression


@pytest.mark.parametrize(
    ("expression", "rule"),
    [
        ("cron(0 3 * * SUN *)", "? in exactly one of day and weekday"),
        ("cron(0 3 ? * ? *)", "? in exactly one of day and weekday"),
        ("cron(0 3 ? * SUN)", "six fields"),
        ("rate(1 days)", "rate(1 day) and rate(7 days)"),
        ("rate(2 day)", "rate(1 day) and rate(7 days)"),
        ("rate(0 minutes)", "a number"),
        ("rate(1 week)", "a unit"),
        ("every sunday", "is not a schedule"),
    ],
)
def test_a_schedule_that_aws_refuses_is_told_with_the_rule(expression: str, rule: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Schedules.model_validate({"batch": expression})
    assert rule in str(raised.value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            [("USER_ID", "string"), ("ITEM_ID", "string")],
            "datasets.interactions.schema.fields: the Interactions schema is missing the required fields: [TIMESTAMP]",
        ),
        (
            [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "int")],
            "datasets.interactions.schema.fields[2].type: TIMESTAMP must be of type long, it is of type int",
        ),
        (
            [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long"), ("USERID", "string")],
            "datasets.interactions.schema.fields[3].name: field names must be unique",
        ),
        ([("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "array")], "fields[2].type"),
        (
            [("USER_ID", "string"), ("ITEM_ID", "string"), ("TIMESTAMP", "long"), *((f"C{n}", "string") for n in range(6))],
            "has 6 metadata fields; at most 5",
        ),
    ],
)
def test_rules_of_schemas(tmp_path: Path, fields: list[tuple[str, str]], problem: str) -> None:
    schema = {
        "type": "record",
        "name": "Interactions",
        "namespace": "com.amazonaws.personalize.schema",
        "fields": [{"name": name, "type": kind} for name, kind in fields],
        "version": "1.0",
    }
    (tmp_path / "interactions.json").write_text(json.dumps(schema))
    (tmp_path / "schemas").symlink_to(Path("config/schemas").resolve())
    file = tmp_path / "config.yaml"
    file.write_text(MOVIELENS.replace("schemas/movielens/interactions.json", "interactions.json"))
    with pytest.raises(ConfigError) as raised:
        load_config(file)
    assert any(problem in found for found in raised.value.problems), raised.value.problems


def test_the_json_schema_beside_the_configs_is_up_to_date() -> None:
    assert json.loads(Path("config/schema.json").read_text()) == json_schema()
