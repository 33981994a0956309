"""Conversions in the admin."""

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.attribution.models import Conversion
from tests.db.campaigns.attribution.conftest import Shop, ago, goal, settle

pytestmark = pytest.mark.django_db
LIST = "/admin/attribution/conversion/"


def queries_of(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_list_asks_the_same_queries_for_3_and_30(shop: Shop, admin_client: Client) -> None:
    goal()
    for number in range(3):
        shop.buy(f"c{number}", ago(hours=number))
    settle()
    admin_client.get(LIST)
    few = queries_of(admin_client, LIST)
    for number in range(3, 30):
        shop.buy(f"c{number}", ago(hours=number))
    settle()
    assert queries_of(admin_client, LIST) == few
    assert admin_client.get(LIST).context["cl"].result_count == 30
    assert admin_client.get(LIST, {"q": "c29"}).context["cl"].result_count == 1


def test_detail_shows_what_each_model_credits(shop: Shop, admin_client: Client) -> None:
    goal()
    anna = shop.person("anna")
    first = shop.click(anna, "welcome", ago(days=2))
    last = shop.click(anna, "text", ago(days=1))
    shop.buy("anna", ago(hours=1), 30)
    settle()
    conversion = Conversion.objects.get()
    page = admin_client.get(f"{LIST}{conversion.pk}/change/").content.decode()
    table = page.split("What is credited for it")[1]
    for message_id, cells in ((first, ("1", "–", "0.50")), (last, ("–", "1", "0.50"))):
        row = table.split(f"/delivery/message/{message_id}/change/")[1].split("</tr>")[0]
        assert [cell.split("<")[0] for cell in row.split('<td class="n">')[1:]] == list(cells)


def test_the_pages_of_customer_and_goal_list_conversions(shop: Shop, admin_client: Client) -> None:
    goal_id = goal()
    anna = shop.person("anna")
    shop.click(anna, "welcome", ago(days=2))
    shop.buy("anna", ago(hours=1), 30)
    settle()
    link = f"{LIST}{Conversion.objects.get().pk}/change/"
    assert link in admin_client.get(f"/admin/customers/customer/{anna}/change/").content.decode()
    assert link in admin_client.get(f"/admin/planning/goal/{goal_id}/change/").content.decode()


def test_permissions(shop: Shop, client: Client) -> None:
    goal()
    shop.buy("anna", ago(hours=1))
    settle()
    client.force_login(
        User.objects.create_user("clerk", is_staff=True), backend="django.contrib.auth.backends.ModelBackend"
    )
    for url in (LIST, f"{LIST}{Conversion.objects.get().pk}/change/"):
        assert client.get(url).status_code == 403, url
