"""Campaigns and goals in the admin, with the flows that belong to them."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.flows.models import Flow
from campaigns.planning.models import Campaign, Goal

pytestmark = pytest.mark.django_db
GOALS, CAMPAIGNS = "/admin/planning/goal/", "/admin/planning/campaign/"


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def flow(key: str, **fields: object) -> Flow:
    at = timezone.now()
    return Flow.objects.create(**{"key": key, "definition": {}, "created_at": at, "updated_at": at, **fields})


@pytest.mark.parametrize(("url", "model"), [(GOALS, Goal), (CAMPAIGNS, Campaign)])
def test_lists_ask_the_same_queries_for_3_and_30(
    admin_client: Client, url: str, model: type[Goal] | type[Campaign]
) -> None:
    extra = {"event": "purchase"} if model is Goal else {}
    model.objects.bulk_create([model(key=f"k{number}", **extra) for number in range(3)])
    admin_client.get(url)
    few = queries_of(admin_client, url)
    model.objects.bulk_create([model(key=f"k{number}", **extra) for number in range(3, 30)])
    assert queries_of(admin_client, url) == few


def test_a_goal_lists_flows_that_name_it_or_count_its_event(admin_client: Client) -> None:
    goal = Goal.objects.create(key="order", event="purchase", conditions={"amount": {"gte": 50}})
    flow("by_name", definition={"goal": "order"})
    flow("by_event", definition={"goal": {"event": "purchase", "within": "7d"}})
    flow("other", definition={"goal": {"event": "signup", "within": "7d"}})
    url = f"{GOALS}{goal.pk}/change/"
    page = admin_client.get(url).content.decode()
    assert "by_name" in page
    assert "by_event" in page
    assert "/flows/flow/" in page
    assert "other" not in page.split("Flows measured by it")[1].split("</section>")[0]
    assert "amount: {&quot;gte&quot;: 50}" in page
    few = queries_of(admin_client, url)
    for number in range(27):
        flow(f"more{number}", definition={"goal": "order"})
    assert queries_of(admin_client, url) == few


def test_a_campaign_lists_its_flows(admin_client: Client) -> None:
    campaign = Campaign.objects.create(key="autumn", name={"en": "Autumn <b>"})
    url = f"{CAMPAIGNS}{campaign.pk}/change/"
    assert "No flow belongs to it yet" in admin_client.get(url).content.decode()
    flow("winback", campaign_key="autumn")
    page = admin_client.get(url).content.decode()
    assert "winback" in page
    assert "<b>" not in page.split("Autumn")[1][:3]


def test_permissions(client: Client) -> None:
    client.force_login(
        User.objects.create_user("clerk", is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    goal, campaign = Goal.objects.create(key="order", event="purchase"), Campaign.objects.create(key="autumn")
    for url in (GOALS, CAMPAIGNS, f"{GOALS}{goal.pk}/change/", f"{CAMPAIGNS}{campaign.pk}/change/"):
        assert client.get(url).status_code == 403, url
