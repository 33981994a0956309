"""The public pages and the calls, used by people who mean harm, and after days on which nothing ran."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from campaigns.channels.providers import email_recording
from campaigns.delivery import engine
from loyalty.customers.erasing import erase_customers
from loyalty.kit import clock
from loyalty.kit.checks import invariants, verdict
from loyalty.kit.problems import Problems
from loyalty.subscriptions import declaring, letters, operations, paying
from loyalty.subscriptions.closing import Cancelling
from loyalty.subscriptions.declaring import Declared
from loyalty.subscriptions.models import Charge, Declaration, Notice, Subscription
from tests.db.campaigns.delivery.world import World
from tests.db.loyalty.subscriptions.house import NOW, charges, opened, ordered, person, tick, tier_of

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}


def day(n: float) -> datetime:
    return NOW + timedelta(days=n)


@pytest.fixture(autouse=True)
def club() -> object:
    cache.clear()
    email_recording.forget()
    World(now=clock.now()).prepare().sender(settings={})
    opened()
    yield
    for check in invariants():
        if check.key.startswith(("subscriptions.", "program.")):
            found = verdict(check)
            assert (check.key, found.violations, found.samples, found.failure) == (check.key, 0, [], "")


def paid(name: str, now: datetime | None = None) -> Subscription:
    at = now or clock.now()
    one = ordered(person(name), now=at)
    paying.report(Charge.objects.get(subscription=one).pk, "paid", reference="p", now=at)
    one.refresh_from_db()
    return one


def mailed() -> list[Any]:
    declaring.process(now=clock.now())
    letters.write(now=clock.now())
    engine.run(channel="email", now=lambda: clock.now() + timedelta(seconds=1))
    found = sorted(email_recording.recorded, key=lambda mail: mail.id)
    email_recording.forget()
    return found


def cancel(client: Client, **given: str) -> int:
    body = {"name": "Anna", "email": "anna@example.com", "kind": "ordinary", **given}
    return client.post("/membership/cancel", body, headers=EN).status_code


def test_who_knows_only_the_address_ends_nothing(client: Client) -> None:
    one = paid("anna")
    assert cancel(client, name="Mallory") == 302
    body = {"name": "Mallory", "email": "anna@example.com"}
    assert client.post("/membership/withdraw", body, headers=EN).status_code == 302
    mailed()
    one.refresh_from_db()
    assert (one.state, set(Declaration.objects.values_list("state", flat=True))) == ("active", {"unmatched"})
    assert cancel(client, name="Mallory", contract=one.number) == 302
    mailed()
    one.refresh_from_db()
    assert one.state == "cancelled"


def test_what_a_stranger_writes_is_not_mailed_to_anybody(client: Client) -> None:
    spam = {"name": "Buy at evil.example", "contract": "https://evil.example", "reason": "You won! evil.example"}
    assert cancel(client, email="victim@example.com", **spam | {"kind": "extraordinary"}) == 302
    (mail,) = mailed()
    assert mail.to == "victim@example.com"
    assert "evil" not in mail.text + mail.html + mail.subject
    assert "/membership/receipt/" in mail.text


def test_markup_and_line_breaks_of_a_form_stay_text(client: Client) -> None:
    one = paid("anna")
    mailed()
    assert (
        cancel(client, name="Anna\r\nBcc: x@example.com", contract=f"{one.number} <img src=x onerror=alert(1)>") == 302
    )
    (mail,) = mailed()
    assert "<img src=x" not in mail.html and "&lt;img src=x" in mail.html
    assert "Anna Bcc: x@example.com" in mail.text and "\r" not in mail.subject
    answer = client.post("/membership/cancel", {"name": "<b>x", "email": "<script>", "kind": "ordinary"}, headers=EN)
    assert (answer.status_code, b"<script>" in answer.content, b"<b>x" in answer.content) == (422, False, False)


def test_nobody_is_flooded_with_receipts(client: Client) -> None:
    for number in range(9):
        status = cancel(client, email="victim@example.com", contract=f"number {number}")
        assert status == (302 if number < 5 else 429)
    assert len(mailed()) == 5
    assert cancel(client, email="Victim@Example.com", contract="one more") == 429
    assert cancel(client, email="other@example.com") == 302


def test_the_same_form_sent_twice_is_one_declaration_with_one_receipt(client: Client) -> None:
    body = {"name": "Anna", "email": "anna@example.com", "kind": "ordinary"}
    first, second = (client.post("/membership/cancel", body)["Location"] for _ in range(2))
    assert (first == second, Declaration.objects.count(), len(mailed())) == (True, 1, 1)


@pytest.mark.parametrize("end", ["9999-12-31", "5000-01-01"])
def test_a_day_at_the_end_of_time_is_no_last_day(client: Client, end: str) -> None:
    one = paid("anna")
    assert cancel(client, wished_end=end) == 422
    with pytest.raises(Problems, match="too far away"):
        operations.cancel(one.pk, Cancelling(clock.now(), date.fromisoformat(end)), now=clock.now())
    # One that is stored all the same holds nothing up.
    given = Declared("cancel", "Anna", "anna@example.com", wished_end=date.fromisoformat(end))
    declaring.declare(given, source="page", now=clock.now())
    assert declaring.process(now=clock.now()) == 1
    one.refresh_from_db()
    assert one.state == "cancelled" and one.ends_at is not None
    assert one.ends_at < clock.now() + timedelta(days=1100)


@pytest.mark.parametrize("email", ["a@[127.0.0.1]", "x@localhost", "a@b", "a b@example.com"])
def test_an_address_that_gets_no_receipt_is_refused(client: Client, email: str) -> None:
    assert cancel(client, email=email) == 422
    assert Declaration.objects.count() == 0


@pytest.mark.parametrize("bad", [{"name": "a\x00b"}, {"contract": "\x00"}, {"kind": "zzz"}, {"wished_end": "x"}])
def test_what_cannot_be_stored_is_refused(client: Client, bad: dict[str, str]) -> None:
    assert cancel(client, **bad) == 422
    assert client.get("/membership/cancel?contract=%00").status_code == 400
    assert client.get("/membership/receipt/%00").status_code in (400, 404)
    assert Declaration.objects.count() == 0


def test_who_wished_a_late_end_can_still_go_sooner() -> None:
    one = paid("anna", NOW)
    assert operations.cancel(one.pk, Cancelling(day(1), date(2026, 12, 31)), now=day(1)) == datetime(
        2026, 12, 31, 23, tzinfo=UTC
    )
    sooner = operations.cancel(one.pk, Cancelling(day(2)), now=day(2))
    assert sooner == one.term_ends_at
    assert operations.cancel(one.pk, Cancelling(day(3), date(2026, 12, 31)), now=day(3)) == sooner


def test_a_withdrawal_counts_from_when_it_was_declared() -> None:
    one = ordered(person("anna"), now=NOW, early_start=True)
    fee = Charge.objects.get()
    paying.report(fee.pk, "paid", reference="p", now=NOW)
    operations.withdraw(one.pk, declared_at=day(3), now=day(13))
    one.refresh_from_db()
    days = (fee.period_end - fee.period_start).total_seconds() / 86400
    assert one.ends_at == day(3)
    assert charges(one)[1] == ("refund", "due", f"{9.9 - round(9.9 * 3 / days, 2):.2f}")


def test_a_fee_that_the_bank_takes_back_after_the_withdrawal_is_not_paid_back_too() -> None:
    one = paid("anna", NOW)
    fee = Charge.objects.get(kind="fee")
    operations.withdraw(one.pk, declared_at=day(1), now=day(1))
    paying.report(fee.pk, "failed", reference="p", now=day(3))
    assert charges(one) == [("fee", "void", "9.90"), ("refund", "void", "9.90")]
    other = ordered(person("ben"), now=NOW, early_start=True)
    fee = Charge.objects.get(subscription=other)
    paying.report(fee.pk, "paid", reference="q", now=NOW)
    back = operations.withdraw(other.pk, declared_at=day(10), now=day(10))
    paying.report(fee.pk, "failed", reference="q", now=day(12))
    assert charges(other) == [("fee", "failed", f"{fee.amount - back}"), ("refund", "void", f"{back}")]
    paying.report(fee.pk, "paid", reference="q2", now=day(13))
    assert charges(other)[0][:2] == ("fee", "paid")


def test_a_fee_taken_back_after_its_refund_went_out_is_owed() -> None:
    one = paid("anna", NOW)
    fee = Charge.objects.get(kind="fee")
    operations.withdraw(one.pk, declared_at=day(1), now=day(1))
    paying.report(Charge.objects.get(kind="refund").pk, "paid", reference="out", now=day(2))
    paying.report(fee.pk, "failed", reference="p", now=day(3))
    assert charges(one) == [("fee", "failed", "9.90"), ("refund", "paid", "9.90")]


def test_after_a_standstill_only_the_month_that_runs_is_charged_and_told() -> None:
    one = paid("anna", NOW)
    tick(NOW)
    Notice.objects.all().delete()
    tick(day(200))
    one.refresh_from_db()
    fees = list(Charge.objects.filter(subscription=one).order_by("number"))
    assert [(fee.number, fee.state, fee.due_at) for fee in fees] == [(1, "paid", NOW), (2, "due", day(200))]
    assert (fees[1].period_start, fees[1].period_end) == (
        datetime(2026, 9, 10, 11, tzinfo=UTC), datetime(2026, 10, 10, 11, tzinfo=UTC)
    )  # fmt: skip
    assert (one.state, one.term_ends_at, one.past_due_since) == ("active", fees[1].period_end, None)
    assert list(Notice.objects.values_list("kind", flat=True)) == ["reminder"]
    paying.report(fees[1].pk, "paid", reference="late", now=day(201))
    tick(day(201))
    assert tier_of(one.customer_id or 0) == "gold"
    tick(datetime(2026, 10, 10, 11, tzinfo=UTC))
    assert [fee[:2] for fee in charges(one)] == [("fee", "paid"), ("fee", "paid"), ("fee", "due")]


def test_a_year_that_begins_without_a_reminder_is_told_with_its_fee() -> None:
    opened(fee={"amount": 120, "per": "year"}, trial=14)
    one = ordered(person("anna"), now=NOW)
    tick(day(15))
    assert charges(one) == [("fee", "due", "120.00")]
    assert Notice.objects.get(kind="reminder").facts["trial"] is True
    Notice.objects.filter(kind="reminder").delete()
    paying.report(Charge.objects.get().pk, "paid", reference="p", now=day(15))
    tick(day(350))
    tick(day(380))
    assert (len(charges(one)), Notice.objects.filter(kind="reminder").count()) == (2, 1)


def test_the_letter_of_a_trial_over_the_change_of_clocks_says_its_days() -> None:
    opened(trial=20)
    ordered(person("anna", locale="en"), now=NOW)
    (mail,) = mailed()
    assert "20 days for free" in mail.text


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T00:00:00Z", "1970-01-01T00:00:00Z"])
def test_a_payment_of_another_age_is_refused(at: str) -> None:
    ordered(person("anna"), now=NOW)
    with pytest.raises(Problems, match="no time"):
        paying.report(Charge.objects.get().pk, "paid", reference="p", now=NOW, at=datetime.fromisoformat(at))


def test_a_letter_that_cannot_be_written_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letters, "BATCH", 1)
    ordered(person("anna"), now=clock.now())
    good = letters.send

    def send(mail: Any, some: Any, *, now: datetime) -> list[int]:
        if mail.key == "membership_ordered":
            raise Problems([])
        return good(mail, some, now=now)

    monkeypatch.setattr(letters, "send", send)
    declaring.declare(Declared("cancel", "Anna", "anna@example.com"), source="page", now=clock.now())
    declaring.process(now=clock.now())
    assert letters.write(now=clock.now()) == 1
    assert list(Notice.objects.filter(sent_at=None).values_list("kind", flat=True)) == ["ordered"]


def test_who_is_forgotten_before_the_declaration_is_looked_at_does_not_come_back() -> None:
    anna = paid("anna").customer_id or 0
    declaring.declare(Declared("cancel", "Anna", "anna@example.com"), source="page", now=clock.now())
    erase_customers(customer_ids=[anna])
    assert declaring.process(now=clock.now()) == 0
    kept = Declaration.objects.get()
    assert (kept.name, kept.email, kept.state) == (None, None, "settled")
