"""The pages about a profile and its attributes, and the history over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from campaigns.segments.models import Segment
from campaigns.segments.operations import save_segment
from loyalty.access.operations import create_api_key
from loyalty.customers.models import Attribute, Customer, CustomerIdentity, CustomerRevision, Source
from loyalty.customers.operations import upsert_customers

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC) - timedelta(days=2)


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def headers() -> dict[str, str]:
    created = create_api_key(name="test", scopes=["customers:read", "customers:write"], now=NOW)
    return {"Authorization": f"Bearer {created.secret}"}


def make(**row: Any) -> Customer:
    done = upsert_customers([{"external_id": "ada", **row}], now=NOW, source="api")
    assert done.rejected == []
    return Customer.objects.get(pk=done.ids[0])


def form_of(client: Client, address: str) -> dict[str, Any]:
    form = client.get(address).context["form"]
    return {name: form[name].value() or "" for name in form.fields if name != "remove"}


def place(client: Client, address: str, label: str) -> str:
    return next(name for name, one in client.get(address).context["form"].fields.items() if str(one.label) == label)


def test_a_correction_by_form_changes_fields_and_keys_and_shows_both_in_the_profile(boss: Client) -> None:
    ada = make(city="Köln", attributes={"vip": True, "size": 38}, identities={"card": "1"})
    address = reverse("admin:customers_correct", args=[ada.pk])
    form = form_of(boss, address)
    held = CustomerIdentity.objects.get()
    city, vip, size = (place(boss, address, label) for label in ("City", "vip", "size"))
    answer = boss.post(
        address,
        {
            **form,
            city: "Bonn",
            vip: "false",
            size: "",
            "remove": [held.pk],
            "kind": "card",
            "value": "2",
            "reason": "call",
        },
    )
    page = reverse("admin:customers_customer_change", args=[ada.pk])
    assert answer.headers["Location"] == page
    ada.refresh_from_db()
    assert (ada.city, ada.attributes) == ("Bonn", {"vip": False})
    assert list(CustomerIdentity.objects.values_list("kind", "value")) == [("card", "2")]
    assert set(CustomerRevision.objects.values_list("actor", "reason")) == {("boss", "call")}
    shown = boss.get(page).content.decode()
    for text in ("Köln until", "by hand (boss)", "observed by us (first party)", "<q>call</q>", "1 former value"):
        assert text in shown


def test_mistakes_stand_at_their_fields_and_an_untouched_form_changes_nothing(boss: Client) -> None:
    make(email="ada@example.com")
    upsert_customers([{"external_id": "b", "identities": {"card": "9"}}], now=NOW, source="api")
    ada = Customer.objects.get(external_id="ada")
    address = reverse("admin:customers_correct", args=[ada.pk])
    form = form_of(boss, address)
    email = place(boss, address, "Email")
    wrong = boss.post(address, {**form, email: "nonsense", "kind": "card", "value": "9", "reason": "x"})
    errors = wrong.context["form"].errors
    assert "is not an email address" in errors[email][0]
    assert errors["value"] == ["'9' belongs to another customer (correct it, or merge the two)"]
    assert "reason" in boss.post(address, form).context["form"].errors
    boss.post(address, {**form, "reason": "nothing"})
    assert not CustomerRevision.objects.exists()


def test_correcting_needs_the_right_to_change(client: Client) -> None:
    ada = make()
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_customer"))
    client.force_login(user)
    assert client.get(reverse("admin:customers_correct", args=[ada.pk])).status_code == 403
    assert (
        "Correct the profile"
        not in client.get(reverse("admin:customers_customer_change", args=[ada.pk])).content.decode()
    )


def test_an_attribute_is_defined_changed_and_deleted_unless_somebody_uses_it(boss: Client) -> None:
    add = reverse("admin:customers_attribute_add")
    form = {"key": "tier_wish", "type": "choice", "name_en": "Wish", "name_de": "Wunsch", "source_class": "zero"}
    assert boss.post(add, form).context["form"].errors["choices"] == ["Give at least one choice."]
    answer = boss.post(add, {**form, "choices": "gold = Gold = Gold\nsilver = Silver = Silber\n", "purpose": "offers"})
    attribute = Attribute.objects.get()
    assert answer.headers["Location"] == reverse("admin:customers_attribute_change", args=[attribute.pk])
    assert (attribute.source_class, attribute.purpose, attribute.learned) == ("zero", "offers", False)
    assert attribute.choices == {"gold": {"en": "Gold", "de": "Gold"}, "silver": {"en": "Silver", "de": "Silber"}}
    assert "already an attribute" in str(boss.post(add, {**form, "choices": "a"}).context["form"].errors)

    edit = reverse("admin:customers_attribute_edit", args=[attribute.pk])
    assert boss.get(edit).context["form"]["choices"].value() == "gold = Gold = Gold\nsilver = Silver = Silber"
    boss.post(edit, {"type": "text", "name_en": "Wish", "source_class": "", "purpose": ""})
    attribute.refresh_from_db()
    assert (attribute.type, attribute.choices, attribute.source_class) == ("text", None, None)

    ada = make(attributes={"tier_wish": "gold", "other": 1})
    save_segment(key="wishers", rule={"any": [{"attribute": "tier_wish", "eq": "gold"}]}, now=NOW)
    page = reverse("admin:customers_attribute_change", args=[attribute.pk])
    assert "wishers" in boss.get(page).content.decode()
    delete = reverse("admin:customers_attribute_act", args=[attribute.pk, "delete"])
    refused = boss.post(delete, follow=True)
    told = "segment 'wishers' uses the attribute 'tier_wish' (change that first)"
    assert [str(message) for message in refused.context["messages"]] == [told]
    Segment.objects.all().delete()
    done = boss.post(delete, follow=True)
    assert [str(message) for message in done.context["messages"]] == [
        "The attribute is gone, with the values of 1 people."
    ]
    ada.refresh_from_db()
    assert ada.attributes == {"other": 1}
    assert CustomerRevision.objects.get().before == {"tier_wish": "gold"}


@pytest.mark.parametrize(("wanted", "expected"), [("zero", ["a"]), ("first", ["b"]), ("none", ["c"])])
def test_attributes_are_filtered_by_how_we_know_them(boss: Client, wanted: str, expected: list[str]) -> None:
    Attribute.objects.create(key="a", type="text", source_class="zero", created_at=NOW)
    Attribute.objects.create(key="b", type="text", source=Source.objects.get(key="api"), created_at=NOW)
    Attribute.objects.create(key="c", type="text", source=Source.objects.get(key="import"), created_at=NOW)
    page = boss.get(reverse("admin:customers_attribute_changelist"), {"class": wanted})
    assert [one.key for one in page.context["cl"].result_list] == expected


def test_a_source_gets_a_class_and_a_name(boss: Client) -> None:
    source = Source.objects.get(key="import")
    address = reverse("admin:customers_source_act", args=[source.pk, "describe"])
    boss.post(address, {"source_class": "second", "name_en": "Partner file", "name_de": "Partnerdatei"})
    source.refresh_from_db()
    assert (source.source_class, source.name) == ("second", {"en": "Partner file", "de": "Partnerdatei"})
    shown = boss.get(reverse("admin:customers_source_change", args=[source.pk])).content.decode()
    assert "from a partner (second party)" in shown


def test_the_history_over_http(client: Client, headers: dict[str, str]) -> None:
    make(city="Köln", identities={"card": "1"})
    for number, city in enumerate(("Bonn", "Rom", "Wien")):
        upsert_customers([{"external_id": "ada", "city": city}], now=NOW + timedelta(hours=number + 1), source="crm")
    address = "/api/v1/customers/ada/history"
    found = client.get(address, {"field": "city", "limit": 2}, headers=headers).json()
    assert found["fields"]["city"]["value"] == "Wien"
    assert (found["fields"]["city"]["source"], found["fields"]["city"]["source_class"]) == ("crm", None)
    assert [one["changes"] for one in found["revisions"]] == [
        [{"field": "city", "before": "Rom", "after": "Wien"}],
        [{"field": "city", "before": "Bonn", "after": "Rom"}],
    ]
    rest = client.get(address, {"before": found["next"]}, headers=headers).json()
    assert [one["changes"][0]["before"] for one in rest["revisions"]] == ["Köln"]
    assert rest["next"] is None
    assert rest["fields"]["identities.card"]["value"] == ["1"]
    then = (NOW + timedelta(hours=1, minutes=30)).isoformat()
    past = client.get("/api/v1/customers/ada/profile", {"at": then}, headers=headers).json()
    assert past["fields"] == {"external_id": "ada", "city": "Bonn", "identities.card": ["1"]}
    assert client.get("/api/v1/customers/nobody/history", headers=headers).status_code == 404
    assert client.get(address, {"limit": 0}, headers=headers).status_code == 422


def test_identities_over_http(client: Client, headers: dict[str, str]) -> None:
    make(identities={"card": ["1", "a/b"]})
    upsert_customers([{"external_id": "b", "identities": {"card": "9"}}], now=NOW, source="api")
    address = "/api/v1/customers/ada/identities"

    def post(**body: Any) -> Any:
        return client.post(address, body, content_type="application/json", headers=headers)

    assert post(kind="partner", value="payback:77").status_code == 204
    assert post(kind="card", value="9").json()["error"]["details"] == [
        {"where": "identities.card", "problem": "'9' belongs to another customer (correct it, or merge the two)"}
    ]
    assert post(kind="cart", value="9").status_code == 422
    assert client.delete(f"{address}/card/a/b", headers=headers).status_code == 204
    assert client.delete(f"{address}/card/a/b", headers=headers).status_code == 404
    answer = client.patch(
        "/api/v1/customers/ada", {"identities": {"card": None}}, content_type="application/json", headers=headers
    )
    assert answer.json()["identities"] == {"partner": ["payback:77"]}
