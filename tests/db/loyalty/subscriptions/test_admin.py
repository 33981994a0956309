"""The pages of the staff: they open for every state, and their buttons do what they say."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from loyalty.kit import clock
from loyalty.subscriptions import declaring, operations, paying
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.models import Charge, Declaration, Plan
from tests.db.loyalty.subscriptions import house

pytestmark = pytest.mark.django_db(transaction=True)
LISTS = ("plan", "subscription", "charge", "declaration")


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


def test_empty_lists_teach(boss: Client) -> None:
    for name in LISTS:
        assert boss.get(f"/admin/subscriptions/{name}/").status_code == 200, name
    assert b"kind: plan" in boss.get("/admin/membership/plans/new/").content


def test_a_plan_is_written_and_its_contracts_are_worked_on(boss: Client) -> None:
    house.opened()
    text = "kind: plan\nkey: two\nfee: {amount: 5, per: month}\nterm: 99"
    assert b"Line 4" in boss.post("/admin/membership/plans/new/", {"text": text}).content
    assert boss.post("/admin/membership/plans/new/", {"text": text.replace("99", "3")}).status_code == 302
    one = house.ordered(house.person("anna"), now=clock.now())
    charge = Charge.objects.get()
    url = f"/admin/subscriptions/charge/{charge.pk}/act"
    assert boss.get(f"{url}/failed/").status_code == 200
    boss.post(f"{url}/failed/", {"reference": "a", "reason": "no"})
    boss.post(f"{url}/paid/", {"reference": "b"})
    charge.refresh_from_db()
    assert (charge.state, charge.attempts) == ("paid", 1)
    house.tick(clock.now())
    boss.post(f"/admin/subscriptions/subscription/{one.pk}/act/cancel/", {"wished": ""})
    one.refresh_from_db()
    assert one.state == "cancelled"
    boss.post(f"/admin/subscriptions/subscription/{one.pk}/act/resume/")
    for name, number in (("plan", Plan.objects.get(key="plus").pk), ("subscription", one.pk), ("charge", charge.pk)):
        assert boss.get(f"/admin/subscriptions/{name}/{number}/change/").status_code == 200, name
        assert boss.get(f"/admin/subscriptions/{name}/?q=anna").status_code == 200, name
    assert one.number.encode() in boss.get(f"/admin/customers/customer/{one.customer_id}/change/").content


def test_the_queue_is_settled_by_hand(boss: Client) -> None:
    house.opened()
    one = house.ordered(house.person("anna"), now=clock.now())
    paying.report(Charge.objects.get().pk, "paid", reference="p", now=clock.now())
    given = declaring.Declared(kind="cancel", name="Anna", email="new@example.com", contract=one.number)
    declared = declaring.declare(given, source="page", now=clock.now())
    declaring.process(now=clock.now())
    page = boss.get(f"/admin/subscriptions/declaration/{declared.pk}/change/").content.decode()
    assert one.number in page and "settle" in page
    boss.post(f"/admin/subscriptions/declaration/{declared.pk}/act/settle/", {"number": one.number, "note": ""})
    one.refresh_from_db()
    assert (one.state, Declaration.objects.get().settled_by) == ("cancelled", "boss")


def test_what_is_due_comes_as_a_file(boss: Client) -> None:
    house.opened()
    first = house.ordered(house.person("anna"), now=clock.now())
    operations.cancel(first.pk, Cancelling(clock.now()), now=clock.now())
    second = house.ordered(house.person("ben"), now=clock.now())
    answer = boss.get("/admin/membership/charges.csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0].startswith("id,contract,plan")
    assert [line.split(",")[1:3] for line in lines[1:]] == [[second.number, "plus"]]


def test_erasing_and_joining_people_keeps_the_books() -> None:
    from loyalty.customers.erasing import erase_customers
    from loyalty.kit.checks import invariants, verdict

    house.opened()
    anna = house.person("anna")
    one = house.ordered(anna, now=clock.now())
    paying.report(Charge.objects.get().pk, "paid", reference="anna-iban", now=clock.now())
    declaring.declare(declaring.Declared(kind="cancel", name="Anna", email="anna@example.com"), source="page",
                      now=clock.now())  # fmt: skip
    declaring.process(now=clock.now())
    erase_customers(customer_ids=[anna])
    one.refresh_from_db()
    assert (one.customer_id, one.state, one.evidence, one.number) == (None, "ended", {}, f"erased-{one.pk}")
    declared = Declaration.objects.get()
    assert (declared.name, declared.email, declared.customer_id) == (None, None, None)
    for check in invariants():
        if check.key.startswith("subscriptions."):
            assert (check.key, verdict(check).violations, verdict(check).failure) == (check.key, 0, "")
