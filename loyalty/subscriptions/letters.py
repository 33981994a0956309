"""Letters about contracts: receipts, reminders, missing payments. Asked for by rows, written by a chore."""

import logging
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from loyalty.customers.models import Customer
from loyalty.kit.admin import localized
from loyalty.kit.logs import fields
from loyalty.kit.mailing import Letter, Mail, send
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.subscriptions import names, queries, receipts, wording
from loyalty.subscriptions.models import Declaration, Notice, Subscription

log = logging.getLogger(__name__)
BATCH = 200
FOLDER = Path(__file__).resolve().parent.parent.parent / "templates" / "email"


def _mail(kind: str, name: tuple[str, str]) -> Mail:
    return Mail(
        f"membership_{kind}",
        {"en": f"Membership: {name[0]}", "de": f"Mitgliedschaft: {name[1]}"},
        {"en": "{{ event.subject }}", "de": "{{ event.subject }}"},
        FOLDER,
    )


MAILS = {
    "ordered": _mail("ordered", ("order", "Bestellung")),
    "declared": _mail("declared", ("receipt of a declaration", "Bestätigung einer Erklärung")),
    "reminder": _mail("reminder", ("before it goes on", "bevor sie weiterläuft")),
    "payment": _mail("payment", ("payment missing", "Zahlung fehlt")),
    "price": _mail("price", ("new fee", "neuer Beitrag")),
}


def write(*, now: datetime) -> int:
    """Write the letters that wait; how many. What cannot be sent now keeps waiting, and keeps up no other kind."""
    return sum(_write(kind, now) for kind in MAILS)


def _write(kind: str, now: datetime) -> int:
    with transaction.atomic():
        waiting = list(Notice.objects.filter(sent_at__isnull=True, kind=kind).order_by("id")[:BATCH])
        if not waiting:
            return 0
        people = sorted({one.customer_id for one in waiting})
        fetch(sql("SELECT id FROM customer WHERE id = ANY({ids}::bigint[]) ORDER BY id FOR KEY SHARE", ids=people))
        ids = [one.pk for one in waiting]
        waiting = list(
            Notice.objects.select_for_update(skip_locked=True).filter(id__in=ids, sent_at__isnull=True).order_by("id")
        )
        try:
            with transaction.atomic():
                messages = send(MAILS[kind], _letters(waiting), now=now)
        except Problems as wrong:
            log.error("subscriptions.letters.refused", extra=fields(mail=MAILS[kind].key, problems=str(wrong)))
            return 0
        _sent([one.pk for one in waiting], messages, now)
        return len(waiting)


def _sent(ids: list[int], messages: list[int], now: datetime) -> None:
    execute(
        sql(
            "UPDATE subscription_notice n SET sent_at = {now}, message_id = m.message FROM"
            " unnest({ids}::bigint[], {messages}::bigint[]) AS m (id, message) WHERE n.id = m.id",
            now=now,
            ids=ids,
            messages=messages,
        )
    )


def _letters(waiting: list[Notice]) -> list[Letter]:
    people = Customer.objects.in_bulk([one.customer_id for one in waiting])
    contracts = Subscription.objects.select_related("plan").in_bulk(
        [one.subscription_id for one in waiting if one.subscription_id]
    )
    declarations = Declaration.objects.in_bulk([one.declaration_id for one in waiting if one.declaration_id])
    found = []
    for one in waiting:
        person = people.get(one.customer_id)
        said = declarations.get(one.declaration_id or 0)
        language = (person.locale if person else None) or (said.locale if said else None) or settings.LANGUAGE_CODE
        with translation.override(language.partition("-")[0].lower()):
            event = letter(one, contracts.get(one.subscription_id or 0), said)
        found.append(Letter(one.customer_id, event))
    return found


def letter(one: Notice, contract: Subscription | None, said: Declaration | None) -> dict[str, Any]:
    """What the text of a letter sees: its subject, sentences, and rows of what belongs to what; all translated."""
    rows = _contract_rows(contract) if contract else []
    subject, sentences, more = _KINDS[one.kind](one, contract, said)
    url = f"{settings.PUBLIC_URL}/membership/"
    return {"subject": subject, "sentences": sentences, "rows": [*more, *rows], "url": url}


Parts = tuple[str, list[str], list[list[str]]]


def _contract_rows(one: Subscription) -> list[list[str]]:
    return [
        [_("Contract"), one.number],
        [_("Membership"), localized(one.terms.get("name"), one.plan.key)],
        [pgettext("membership", "Fee"), wording.price(one.fee, one.currency, one.months)],
    ]


def _ordered(one: Notice, contract: Subscription, said: Declaration | None) -> Parts:
    document = queries.document_of(contract.terms)
    trial = document.trial if contract.trial_ends_at else 0
    rows = [[_("Ordered"), wording.moment(contract.ordered_at, contract.zone)]]
    rows += [[name, text] for name, text in wording.conditions(document, trial=trial) if name != _("Price")]
    sentences = [_("thank you for your order. This is your contract; please keep this mail.")]
    if document.seller:
        rows.append([_("Your contract is with"), document.seller])
    if text := localized(document.conditions, ""):
        sentences.append(text)
    sentences.append(wording.withdrawal(document))
    if contract.early_start:
        sentences.append(
            _("You asked that the membership begins before the 14 days are over, and know that you pay for the part"
              " that you had when you withdraw.")
        )  # fmt: skip
    return _("Your order %(number)s") % {"number": contract.number}, sentences, rows


def _declared(one: Notice, contract: Subscription | None, said: Declaration | None) -> Parts:
    is_cancel = one.facts.get("kind") == names.CANCEL
    zone = contract.zone if contract else settings.TIME_ZONE
    rows = []
    if said:
        rows = [list(row) for row in wording.as_declared(said, zone, words=contract is not None)]
        opening = (
            _("we have received your cancellation, as you find it below.") if is_cancel
            else _("we have received your withdrawal, as you find it below.")
        )  # fmt: skip
    elif one.facts.get("left"):
        opening = _("you left our program, so we have cancelled your membership too.")
    else:
        opening = _("you cancelled your membership.") if is_cancel else _("you withdrew from your contract.")
    sentences = [opening]
    if contract and contract.ends_at and contract.state != "withdrawn":
        rows.append([_("The contract ends"), wording.moment(contract.ends_at, contract.zone)])
        sentences.append(_("What you have paid for a later time is paid back."))
    if contract and contract.state == "withdrawn":
        rows.append([_("The contract ended"), wording.moment(contract.ended_at or one.created_at, contract.zone)])
        sentences.append(_("We pay back what is due without delay, at the latest within 14 days."))
    if one.facts.get("state") == names.UNMATCHED:
        if said and not contract:
            # Whose address this is we do not know: what a stranger wrote into the form is shown, not mailed.
            url = f"{settings.PUBLIC_URL}/membership/receipt/{receipts.token_of(said.pk)}"
            sentences.append(_("What was written stands here: %(url)s") % {"url": url})
        sentences.append(
            _("Besides, one of us looks at the cause you gave and writes to you.") if contract
            else _("We could not find the contract by what you wrote. One of us looks for it and writes to you;"
                   " your declaration counts from the time it came in.")
        )  # fmt: skip
    subject = _("We have received your cancellation") if is_cancel else _("We have received your withdrawal")
    return subject, sentences, rows


def _reminder(one: Notice, contract: Subscription, said: Declaration | None) -> Parts:
    at = wording.day(datetime.fromisoformat(one.facts["at"]), contract.zone)
    fee = wording.money(contract.fee, contract.currency)
    if one.facts.get("trial"):
        sentences = [_("your trial ends on %(day)s. From then on the membership costs %(fee)s.") % {
            "day": at, "fee": wording.price(contract.fee, contract.currency, contract.months)}]  # fmt: skip
        subject = _("Your trial ends on %(day)s") % {"day": at}
    else:
        sentences = [_("your membership goes on after %(day)s; %(fee)s are due then.") % {"day": at, "fee": fee}]
        subject = _("Your membership goes on after %(day)s") % {"day": at}
    sentences.append(_("If you do not want that, cancel by one click on the page of your membership, or without"
                       " signing in on this page:"))  # fmt: skip
    return subject, sentences, []


def _payment(one: Notice, contract: Subscription, said: Declaration | None) -> Parts:
    fee = wording.money(Decimal(one.facts.get("amount", contract.fee)), contract.currency)
    grace = contract.terms["seconds"]["grace"] // 86_400
    if one.facts.get("missing"):
        opening = _("a payment for your membership has not reached us, and your benefits rest until it does.")
    else:
        opening = _("the payment of %(fee)s for your membership failed. Please see to it that it can be collected: your"
                    " benefits go on for %(n)s days.") % {"fee": fee, "n": grace}  # fmt: skip
    return _("A payment for your membership is missing"), [opening], []


def _price(one: Notice, contract: Subscription, said: Declaration | None) -> Parts:
    new = wording.price(Decimal(one.facts["fee"]), contract.currency, contract.months)
    sentences = [
        _("we would like to go on with you at a new fee: %(new)s.") % {"new": new},
        _("It counts only if you agree, on the page of your membership. If you do nothing, the fee stays as it is."),
    ]
    return _("Do you agree to a new fee?"), sentences, []


# All but receipts of declarations are about a contract.
_KINDS: dict[str, Any] = {
    "ordered": _ordered,
    "declared": _declared,
    "reminder": _reminder,
    "payment": _payment,
    "price": _price,
}
