"""Whom an address of the API means: a program, a member of it; 404 where there is none."""

from django.http import Http404

from loyalty.customers import queries as customers
from loyalty.kit.problems import Problems
from loyalty.program import queries
from loyalty.program.models import Member
from loyalty.program.setup import Setup, load


def there(program: str | None) -> Setup:
    """The program in which something is looked for by its address: without it nothing is there."""
    try:
        return load(program)
    except Problems as error:
        raise Http404(str(error)) from None


def member_of(external_id: str, setup: Setup) -> Member:
    """The member that a customer is."""
    return known(external_id, setup, f"The customer {external_id!r} is no member of {setup.key}.")


def known(reference: str | dict[str, str], setup: Setup, sentence: str) -> Member:
    """The member whom a reference names; 404 with the sentence."""
    customer_id = customers.resolve([reference])[0]
    found = None if customer_id is None else queries.member_of(customer_id, program_id=setup.id)
    if found is None:
        raise Http404(sentence)
    return found
