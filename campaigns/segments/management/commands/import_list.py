"""Put the people of a CSV file on a static list, or take them off it."""

from datetime import datetime
from typing import Any

from django.core.management.base import CommandParser
from django.db import transaction

from campaigns.segments import lists
from campaigns.segments.models import CustomerList
from loyalty.customers.addresses import phone
from loyalty.customers.commands import ImportCommand
from loyalty.customers.imports import Chunk, Column, Written
from loyalty.customers.queries import resolve
from loyalty.customers.values import Refused
from loyalty.kit.applying import put_document
from loyalty.kit.problems import Problem

# What a row may name a person by; where several stand in it, the first of these counts.
NAMED_BY = ("external_id", "card", "email", "phone")


class Command(ImportCommand):
    help = (
        "Put the people of a CSV file on a static list, which is made when it is new. Each row names one person by "
        f"{', '.join(NAMED_BY)}. Nobody is made: rows of people who are not known are rejected."
    )
    noun = "list"
    job_kind = "list"
    columns = (
        Column("external_id", ("customer_id", "customer", "id", "externalid")),
        Column("card", ("card_number", "kartennummer")),
        Column("email", ("e_mail", "mail", "email_address")),
        Column("phone", ("telephone", "mobile", "phone_number", "telefon")),
    )
    required = (NAMED_BY,)
    own_options = ("key", "remove", "source")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="the list's key")
        super().add_arguments(parser)
        parser.add_argument("--remove", action="store_true", help="take these people off the list")
        parser.add_argument("--source", default="import", help="kept with each person who is added")

    def write_chunk(self, chunk: Chunk, *, now: datetime, options: dict[str, Any]) -> Written:
        """Add or remove the chunk's people as a set."""
        references = [_reference(record) for record in chunk.records()]
        found = resolve(references)
        ids = [one for one in found if one is not None]
        key = options["key"]
        with transaction.atomic():
            if options["remove"]:
                moved = lists.remove_members(key=key, customer_ids=ids)
            else:
                if not CustomerList.objects.filter(key=key).exists():
                    put_document(lists.KIND, key, {}, now=now)
                moved = lists.add_members(key=key, customer_ids=ids, source=options["source"], now=now)
        rejected = [(place, [_nobody(references[place])]) for place, one in enumerate(found) if one is None]
        removed = moved if options["remove"] else 0
        return Written(len(ids), created=moved - removed, changed=removed, rejected=rejected)


def _reference(record: dict[str, str]) -> dict[str, str]:
    name = next((name for name in NAMED_BY if name in record), None)
    if name is None:
        return {}
    if name == "phone":
        try:
            return {name: phone(record[name])}
        except Refused:
            return {name: record[name]}
    return {name: record[name]}


def _nobody(reference: dict[str, str]) -> Problem:
    if not reference:
        return Problem("", "names nobody", f"fill one of {', '.join(NAMED_BY)}")
    name, value = next(iter(reference.items()))
    return Problem(name, f"nobody has the {name} {value!r}", "import the customer first")
