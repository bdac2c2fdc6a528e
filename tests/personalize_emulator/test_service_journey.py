"""The main journey: from CSV files to recommendations that change with events."""

from __future__ import annotations

import time

import pytest

from tests.personalize_emulator.journey import RECIPE, Client, error_of


@pytest.fixture(scope="module")
def version(client: Client, shop: str) -> str:
    return client.version(client.solution(shop, "journey", "aws-user-personalization-v2"))


@pytest.fixture(scope="module")
def campaign(client: Client, version: str) -> str:
    return client.campaign(version, "journey")


def test_metrics_have_the_names_of_the_service(client: Client, version: str) -> None:
    metrics = client.personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
    assert set(metrics) == {
        "coverage",
        "mean_reciprocal_rank_at_25",
        *(f"normalized_discounted_cumulative_gain_at_{k}" for k in (5, 10, 25)),
        *(f"precision_at_{k}" for k in (5, 10, 25)),
    }
    assert all(0 <= value <= 1 for value in metrics.values())


def test_recommendations_follow_the_taste_of_the_user(client: Client, campaign: str) -> None:
    answer = client.runtime.get_recommendations(campaignArn=campaign, userId="u0")
    assert len(answer["itemList"]) == 25
    assert answer["recommendationId"].startswith("RID-")
    liked = [item for item in answer["itemList"] if int(item["itemId"][1:]) % 4 in (0, 1)]
    assert len(liked) > 20


def test_events_change_the_next_answer(client: Client, shop: str, campaign: str) -> None:
    tracking_id = client.tracker(shop, "journey")
    before = client.recommended(campaign, userId="u0", numResults=10)
    for n in range(5):
        client.events.put_events(
            trackingId=tracking_id,
            sessionId="s",
            userId="u0",
            eventList=[{"eventType": "View", "itemId": f"i{2 + 4 * n}", "sentAt": time.time()}],
        )
    assert client.recommended(campaign, userId="u0", numResults=10) != before


def test_a_filter_holds_back_items(client: Client, shop: str, campaign: str) -> None:
    drama = client.filter(shop, "drama", "INCLUDE ItemID WHERE Items.GENRES IN ($GENRE)")
    items = client.recommended(campaign, userId="u0", filterArn=drama, filterValues={"GENRE": '"Drama"'})
    assert items
    assert all(int(item[1:]) % 4 == 2 for item in items)


def test_the_campaign_follows_its_update(client: Client, shop: str, campaign: str) -> None:
    popular = client.version(client.solution(shop, "popular", "aws-popularity-count"))
    assert "latestCampaignUpdate" not in client.personalize.describe_campaign(campaignArn=campaign)["campaign"]
    with client.lasting("update", seconds=3):
        client.personalize.update_campaign(campaignArn=campaign, solutionVersionArn=popular, minProvisionedTPS=2)
        shown = client.personalize.describe_campaign(campaignArn=campaign)["campaign"]
        assert shown["status"] == "ACTIVE"
        assert shown["latestCampaignUpdate"]["status"].startswith("CREATE")
        assert shown["minProvisionedTPS"] == 1
        code, _ = error_of(client.personalize.update_campaign, campaignArn=campaign, minProvisionedTPS=3)
        assert code == "ResourceInUseException"
        while shown["latestCampaignUpdate"]["status"] != "ACTIVE":
            time.sleep(0.02)
            shown = client.personalize.describe_campaign(campaignArn=campaign)["campaign"]
    assert (shown["solutionVersionArn"], shown["minProvisionedTPS"]) == (popular, 2)
    items = client.runtime.get_recommendations(campaignArn=campaign, userId="u0")["itemList"]
    assert all("score" not in item for item in items)


def test_status_passes_through_its_states(client: Client, shop: str) -> None:
    created = client.personalize.create_solution(
        name="states", datasetGroupArn=shop, recipeArn=RECIPE + "aws-sims", performAutoTraining=False
    )["solutionArn"]
    client.wait(created)
    seen: list[str] = []
    with client.lasting("solution-version", seconds=3):
        version = client.personalize.create_solution_version(solutionArn=created)["solutionVersionArn"]
        code, _ = error_of(client.personalize.get_solution_metrics, solutionVersionArn=version)
        assert code == "ResourceInUseException"
        while "ACTIVE" not in seen:
            shown = client.personalize.describe_solution_version(solutionVersionArn=version)["solutionVersion"]
            if shown["status"] not in seen:
                seen.append(shown["status"])
            assert ("trainingHours" in shown) == (shown["status"] == "ACTIVE")
            time.sleep(0.02)
    assert seen == ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]
