"""Points for what happened elsewhere: events, birthdays; and the notices that points are about to expire."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from loyalty.events import facts, partitions, queue
from loyalty.kit.periods import Period
from loyalty.kit.sql import Sql, execute, fetch, sql
from loyalty.program import awaiting, membership, movements, names, posting, tiering
from loyalty.program.purchases import earn, insert_bookings
from loyalty.program.receipts import Receipt, key_of, read, rounds
from loyalty.program.setup import Setup

# Events taken at once: about a second's work.
BATCH = 5_000
_FIELDS = frozenset(Receipt.model_fields) - {"id", "customer", "program", "spend", "occurred_at"}

_Value = tuple[Any, ...]


def earn_from_events(setups: Sequence[Setup], *, consumer: str, now: datetime, limit: int = BATCH) -> int:
    """Take waiting events and let the rules of all programs give points; how many events were taken.

    Points are earned, and expire, by the time of their events; they are entered into the ledger now, also for events
    that came late: the books of a month that is closed stay as they are.
    """
    with transaction.atomic():
        taken = queue.take(consumer, limit, hold=True)
        if not taken:
            return 0
        rows = fetch(
            Sql(
                "SELECT e.event_id, e.customer_id, t.name, e.occurred_at, e.ref, e.properties FROM taken_event e"
                " JOIN event_type t ON t.id = e.type_id ORDER BY e.occurred_at, e.seq"
            )
        )
        awaiting.hold_members(setups)
        for setup in setups:
            _earn(setup, rows, now)
            awaiting.arrived(setup, now=now)
    return taken


def _earn(setup: Setup, rows: list[_Value], now: datetime) -> None:
    wanted = {name for rule in setup.rules for name in rule.part.events(rule.parameters)}
    purchase = setup.document.purchase_event if setup.rules_for(names.PURCHASE) else None
    # A purchase with a reference is one that this program itself put into the timeline.
    mine = [row for row in rows if row[2] in wanted or (row[2] == purchase and row[4] is None)]
    if not mine:
        return
    known = {row[1] for row in mine}
    members = membership.of_customers(known, program_id=setup.id)
    if setup.document.join == "automatic" and (strangers := known - members.keys()):
        partitions.ensure(now, now)
        membership.join(strangers, setup=setup, now=now)
        members |= membership.of_customers(strangers, program_id=setup.id)
    states = membership.lock([member_id for member_id, _ in members.values()])
    values: list[_Value] = []
    for event_id, customer_id, name, at, ref, properties in mine:
        member_id = members.get(customer_id, (0, ""))[0]
        if states.get(member_id) != "active":
            continue
        properties = json.loads(properties) if isinstance(properties, str) else properties
        if name == purchase and ref is None:
            values += _purchase(setup, event_id, member_id, at, properties or {})
        if name in wanted:
            details = {"event": name, "properties": properties}
            key = key_of("event", f"{setup.id}:{event_id}")
            values.append(_value(member_id, names.EVENT, at, key, details=details))
    _book(setup, values, now=now)


def _purchase(setup: Setup, event_id: int, member_id: int, at: datetime, properties: dict[str, Any]) -> list[_Value]:
    """The booking of a purchase that came as an event; nothing for one without a readable amount in our currency."""
    named = {"id": str(event_id), "customer": "-"}
    receipt, wrong = read(Receipt, named | {name: one for name, one in properties.items() if name in _FIELDS})
    if wrong:
        receipt, wrong = read(Receipt, named | {"amount": properties.get("amount")})
    if wrong or properties.get("currency", setup.document.currency) != setup.document.currency:
        return []
    key = key_of("purchase", f"{setup.id}:{event_id}")
    number = properties.get("transaction")
    return [
        _value(
            member_id, names.PURCHASE, at, key, reference=str(number)[:200] if isinstance(number, str | int) else None,
            currency=setup.document.currency, amount=receipt.total,
            net=receipt.net_amount, margin=receipt.margin, store=receipt.store, channel=receipt.channel,
            lines=receipt.lines(),
        )
    ]  # fmt: skip


def _value(member_id: int, kind: str, at: datetime, key: Any, **rest: Any) -> _Value:
    order = ("reference", "currency", "amount", "net", "margin", "store", "channel", "lines", "details", "original_id")
    return (member_id, kind, at, key, None, *(rest.get(name) for name in order))


def _book(setup: Setup, values: list[_Value], *, now: datetime) -> int:
    """Book these, a member's one after the other; how many were new."""
    done = 0
    partitions.ensure(now, now)
    for turn in rounds([value[0] for value in values], [value[2] for value in values]):
        chosen = [values[place] for place in turn]
        made = insert_bookings(chosen, program_id=setup.id, now=now)
        done += len(made)
        for kind in sorted({value[1] for value in chosen}):
            earn([made[v[3]] for v in chosen if v[1] == kind and v[3] in made], kind, setup=setup, now=now)
        members = [value[0] for value in chosen if value[3] in made]
        movements.prolong(setup, members, now=now)
        posting.settle_debts(members, program_id=setup.id, now=now)
        tiering.retier(setup, now=now, member_ids=members)
    return done


def book(setup: Setup, wishes: Sequence[tuple[int, Any, dict[str, Any]]], *, now: datetime) -> int:
    """Book occasions (member, key, details) of members who are locked, and what the rules give for them; how many."""
    values = [_value(member, names.OCCASION, now, key, details=details) for member, key, details in wishes]
    return _book(setup, values, now=now)


def birthdays(setup: Setup, *, now: datetime, limit: int = BATCH) -> int:
    """Book the birthdays of today (the program's day) that are not booked yet; how many."""
    if not any(rule.document.type == "birthday" for rule in setup.rules):
        return 0
    today = now.astimezone(ZoneInfo(setup.zone)).date()
    days = [(today.month, today.day)]
    leap = today.year % 4 == 0 and (today.year % 100 != 0 or today.year % 400 == 0)
    if days == [(2, 28)] and not leap:
        days.append((2, 29))
    query = sql(
        "SELECT m.id FROM member m JOIN customer c ON c.id = m.customer_id WHERE m.program_id = {program}"
        " AND m.state = 'active' AND extract(month FROM c.birth_date) * 100 + extract(day FROM c.birth_date)"
        " = ANY({days}::int[]) AND NOT EXISTS (SELECT FROM booking b WHERE b.key_digest ="
        " md5('birthday:' || m.program_id || ':' || m.id || ':' || {year}::int)::uuid) ORDER BY m.id LIMIT {limit}",
        program=setup.id,
        days=[month * 100 + day for month, day in days],
        year=today.year,
        limit=limit,
    )
    with transaction.atomic():
        members = [row[0] for row in fetch(query)]
        if not members:
            return 0
        states = membership.lock(members)
        details = {"event": "birthday"}
        return _book(
            setup,
            [
                _value(
                    member_id, names.OCCASION, now, key_of("birthday", f"{setup.id}:{member_id}:{today.year}"),
                    details=details,
                )
                for member_id in members
                if states.get(member_id) == "active"
            ],
            now=now,
        )  # fmt: skip


def notices(setup: Setup, *, now: datetime) -> int:
    """Tell the timeline, once for each term, whose points expire soon; how many facts. One statement per term."""
    with transaction.atomic():
        rows = fetch(
            sql("SELECT coalesce(noticed_until, created_at) FROM program WHERE id = {i} FOR UPDATE", i=setup.id)
        )
        since = rows[0][0]
        if since >= now:
            return 0
        partitions.ensure(now, now)
        told = 0
        for term in setup.document.notices:
            seconds = Period.parse(term).seconds or 0
            told += facts.write(
                "points.expiring",
                sql(
                    "SELECT m.customer_id, {now}::timestamptz, min(l.id), jsonb_build_object('program',"
                    " {program}::text, 'wallet', w.key, 'points', sum(l.active), 'expires_at', l.expires_at,"
                    " 'in', {term}::text)"
                    " FROM lot l JOIN member m ON m.id = l.member_id AND m.customer_id IS NOT NULL"
                    " JOIN wallet w ON w.id = l.wallet_id WHERE l.open AND l.active > 0"
                    " AND l.wallet_id = ANY({wallets}::int[])"
                    " AND l.expires_at > {since}::timestamptz + make_interval(secs => {seconds})"
                    " AND l.expires_at <= {now}::timestamptz + make_interval(secs => {seconds})"
                    " GROUP BY m.customer_id, w.key, l.expires_at",
                    now=now,
                    program=setup.key,
                    term=term,
                    wallets=list(setup.wallet_ids.values()),
                    since=since,
                    seconds=seconds,
                ),
            )
        execute(sql("UPDATE program SET noticed_until = {now} WHERE id = {id}", now=now, id=setup.id))
    return told
