"""Pure: what a person declared, as callers write it, and what is wrong with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from loyalty.customers.values import Refused, plain_text
from loyalty.kit.problems import Problem

CHANNELS = ("email", "sms", "whatsapp", "telegram", "push", "letter", "phone", "webhook")
PURPOSES = ("marketing", "service", "tracking", "profiling")
STATUSES = ("granted", "withdrawn")
# Words that shops and consent banners use for the same two.
STATUS_WORDS = {
    **dict.fromkeys(("given", "opt_in", "opted_in", "subscribed"), "granted"),
    **dict.fromkeys(("revoked", "denied", "refused", "opt_out", "opted_out", "unsubscribed"), "withdrawn"),
}
FIELDS = ("channel", "purpose", "status", "source", "at", "text_version", "evidence")
TEXT_MAX = 500
EVIDENCE_MAX = 10_000
# A clock may be a little ahead; a consent from the future would win over every withdrawal until then.
AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """One declaration: `at` is when the person made it, `source` where, `evidence` what proves it."""

    customer_id: int
    channel: str
    purpose: str
    status: str
    source: str
    at: datetime
    text_version: str | None = None
    evidence: Mapping[str, Any] | None = None


def read_entry(given: object, *, customer_id: int = 0, now: datetime) -> tuple[ConsentEntry | None, list[Problem]]:
    """The declaration in `{"channel", "purpose", "status", "source", "at", ...}`, or all that is wrong with it."""
    if not isinstance(given, Mapping):
        return None, [Problem("", "is not an object", 'write {"channel": "email", "purpose": "marketing", ...}')]
    said = given.get("status")
    if isinstance(said, str) and said in STATUS_WORDS:
        given = {**given, "status": STATUS_WORDS[said]}
    problems = [
        Problem(str(name), "unknown field", f"known: {', '.join(FIELDS)}") for name in given if name not in FIELDS
    ]
    for name, known in (("channel", CHANNELS), ("purpose", PURPOSES), ("status", STATUSES)):
        if given.get(name) is None:
            problems.append(Problem(name, "is missing", f"one of {', '.join(known)}"))
        elif given[name] not in known:
            problems.append(Problem(name, f"{given[name]!r} is unknown", f"one of {', '.join(known)}"))
    source = given.get("source")
    if not isinstance(source, str) or not source.strip():
        remedy = "say where the person declared it; without it nothing is proven"
        problems.append(Problem("source", "is missing", remedy))
    else:
        problems += _short_text("source", source)
    at, wrong = _instant(given.get("at"), now)
    problems += wrong
    text_version, evidence = given.get("text_version"), given.get("evidence")
    if text_version is not None:
        problems += _short_text("text_version", text_version)
    if evidence is not None:
        problems += _evidence(evidence)
    if problems or at is None:
        return None, problems
    entry = ConsentEntry(
        customer_id=customer_id,
        channel=str(given["channel"]),
        purpose=str(given["purpose"]),
        status=str(given["status"]),
        source=str(source).strip(),
        at=at,
        text_version=text_version,
        evidence=evidence,
    )
    return entry, []


def _short_text(where: str, given: object) -> list[Problem]:
    try:
        if isinstance(given, str) and len(plain_text(given)) <= TEXT_MAX:
            return []
    except Refused as refused:
        return [Problem(where, refused.problem, refused.remedy)]
    return [Problem(where, f"is not a text of up to {TEXT_MAX} characters")]


def _evidence(given: object) -> list[Problem]:
    if not isinstance(given, Mapping):
        return [Problem("evidence", "is not an object")]
    try:
        text = json.dumps(given, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (ValueError, TypeError):
        return [Problem("evidence", "contains what cannot be kept", "give texts, finite numbers, true, false, null")]
    if "\\u0000" in text:
        return [Problem("evidence", "contains a NUL character", "remove it")]
    return [] if len(text) <= EVIDENCE_MAX else [Problem("evidence", f"is longer than {EVIDENCE_MAX:,} characters")]


def check(entry: ConsentEntry, *, now: datetime) -> list[Problem]:
    """What is wrong with an entry that the program made."""
    given = {name: getattr(entry, name) for name in FIELDS}
    return read_entry(given, customer_id=entry.customer_id, now=now)[1]


def _instant(given: object, now: datetime) -> tuple[datetime | None, list[Problem]]:
    remedy = "write when the person declared it, in ISO 8601 with offset: 2026-11-21T09:30:00+01:00"
    if given is None:
        return None, [Problem("at", "is missing", remedy)]
    try:
        at = given if isinstance(given, datetime) else datetime.fromisoformat(str(given))
    except ValueError:
        return None, [Problem("at", f"{str(given)[:40]!r} is not an instant", remedy)]
    if at.tzinfo is None:
        return None, [Problem("at", "has no offset", remedy)]
    if at > now + AHEAD:
        return None, [Problem("at", "lies in the future", "a declaration counts from when it was made")]
    if at.year < 1970:
        return None, [Problem("at", "lies before 1970", remedy)]
    return at.astimezone(UTC), []
