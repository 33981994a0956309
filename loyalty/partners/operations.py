"""Writes partners and foreign programs (documents), their keys, and what people agreed to."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from loyalty.access.operations import NewKey, create_api_key
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.partners import names, settlement
from loyalty.partners.definition import ForeignDocument, PartnerDocument
from loyalty.partners.models import (
    ForeignProgram,
    Partner,
    PartnerConsent,
    PartnerKey,
    PartnerRate,
    PartnerStore,
    Statement,
)
from loyalty.program.setup import load


def _change(kind: str, key: str, before: dict[str, Any] | None, after: dict[str, Any]) -> Change:
    verdict = "created" if before is None else "unchanged" if before == after else "updated"
    return Change(kind=kind, key=key, verdict=verdict, before=before, after=after)


@transaction.atomic
def save_partner(document: PartnerDocument, *, now: datetime) -> Change:
    """Create the partner or change it to `document`; raises Problems. Prices of days that are on a statement stay."""
    setup = load(document.program)
    wallet_id, wallet = setup.wallet(document.wallet)
    found = Partner.objects.select_for_update().filter(key=document.key).first()
    after = {"kind": "partner", "key": document.key, "program": setup.key, "wallet": wallet.key, **document.plain()}
    change = _change("partner", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    problems = _clashes(document, setup.id)
    if found:
        problems += _fixed(found, document, setup.id, wallet_id)
    if problems:
        raise Problems(problems)
    written = {
        "program_id": setup.id,
        "wallet_id": wallet_id,
        "name": document.name,
        "state": document.state,
        "timezone": setup.zone,
        "definition": after,
        "updated_at": now,
    }
    partner, _ = Partner.objects.update_or_create(
        key=document.key, defaults=written, create_defaults={**written, "created_at": now}
    )
    PartnerStore.objects.filter(partner=partner).exclude(store__in=document.stores).delete()
    PartnerStore.objects.bulk_create(
        [PartnerStore(program_id=setup.id, partner=partner, store=store) for store in document.stores],
        ignore_conflicts=True,
    )
    PartnerRate.objects.filter(partner=partner).delete()
    PartnerRate.objects.bulk_create(
        PartnerRate(partner=partner, starts_on=rate.start, earn=rate.earn, burn=rate.burn, fee=rate.fee)
        for rate in document.rates
    )
    settlement.listen()
    return change


def _clashes(document: PartnerDocument, program_id: int) -> list[Problem]:
    taken = dict(
        PartnerStore.objects.filter(program_id=program_id, store__in=document.stores)
        .exclude(partner__key=document.key)
        .values_list("store", "partner__key")
    )
    return [
        Problem(f"stores[{place}]", f"{store!r} is a shop of {taken[store]}", "take it from there first")
        for place, store in enumerate(document.stores)
        if store in taken
    ]


def _fixed(found: Partner, document: PartnerDocument, program_id: int, wallet_id: int) -> list[Problem]:
    """What may not change any more: the program, the wallet once something is settled, prices that were billed."""
    if found.program_id != program_id:
        return [Problem("program", "a partner stays in its program", "make a new partner")]
    settled = fetch(sql("SELECT EXISTS (SELECT FROM settlement_entry WHERE partner_id = {id})", id=found.pk))[0][0]
    if found.wallet_id != wallet_id and settled:
        return [Problem("wallet", "points of another wallet were settled already", "make a new partner")]
    last = Statement.objects.filter(partner=found).order_by("-month").values_list("month", flat=True).first()
    if last is None:
        return []
    before = _prices(PartnerRate.objects.filter(partner=found).values_list("starts_on", "earn", "burn", "fee"))
    after = _prices((rate.start, rate.earn, rate.burn, rate.fee) for rate in document.rates)
    billed = {day for day in before | after if day <= last}
    remedy = f"add a rate that begins after {last:%Y-%m}"
    return [
        Problem("rates", f"the one from {day} is on statements already", remedy)
        for day in sorted(billed)
        if before.get(day) != after.get(day)
    ]


def _prices(rows: Any) -> dict[Any, tuple[Decimal, ...]]:
    return {day: tuple(Decimal(price) for price in prices) for day, *prices in rows}


@transaction.atomic
def save_foreign(document: ForeignDocument, *, now: datetime) -> Change:
    """Create the foreign program or change it to `document`; raises Problems."""
    setup = load(document.program)
    wallet_id, wallet = setup.wallet(document.wallet)
    found = ForeignProgram.objects.select_for_update().filter(key=document.key).first()
    after = {
        "kind": "foreign_program", "key": document.key, "program": setup.key, "wallet": wallet.key, **document.plain(),
    }  # fmt: skip
    change = _change("foreign_program", document.key, found.definition if found else None, after)
    if change.verdict == "unchanged":
        return change
    written = {
        "program_id": setup.id, "wallet_id": wallet_id, "name": document.name, "definition": after, "updated_at": now,
    }  # fmt: skip
    ForeignProgram.objects.update_or_create(
        key=document.key, defaults=written, create_defaults={**written, "created_at": now}
    )
    return change


@transaction.atomic
def create_key(*, partner: Partner, now: datetime) -> NewKey:
    """Make an API key that speaks for this partner only; raises Problems when two of it live already."""
    made = create_api_key(name=f"partner {partner.key}", scopes=[names.SCOPE], now=now)
    PartnerKey.objects.create(api_key_id=made.id, partner=partner)
    return made


def record_consent(
    *, partner: Partner, customer_id: int, granted: bool, source: str, text_version: str | None, at: datetime,
    now: datetime,
) -> None:  # fmt: skip
    """Note that somebody agrees, or no longer does, that the partner gets their data; raises Problems. The latest
    declaration counts, of two at the same instant the refusal."""
    problems = []
    if granted and not (text_version or "").strip():
        problems.append(Problem("text_version", "is missing", "say which wording the person agreed to"))
    if not source.strip():
        problems.append(Problem("source", "is missing", "say where the person declared it"))
    if at > now:
        problems.append(Problem("at", "lies in the future", "send the instant of the declaration"))
    if problems:
        raise Problems(problems)
    with transaction.atomic():
        # As with other consents: whoever passes on data holds the same row.
        execute(sql("SELECT FROM customer WHERE id = {id} FOR NO KEY UPDATE", id=customer_id))
        PartnerConsent.objects.create(
            partner=partner, customer_id=customer_id, granted=granted, at=at, recorded_at=now, source=source,
            text_version=text_version,
        )  # fmt: skip
