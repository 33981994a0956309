"""Receipts of declarations on a page: known by a token that only who declared it has."""

from django.conf import settings

from loyalty.kit.tokens import BadToken, seal, unseal
from loyalty.subscriptions.models import Declaration

PURPOSE = "membership receipt"


def token_of(declaration_id: int) -> str:
    """The part of the address that shows the receipt."""
    return seal(declaration_id.to_bytes(8), purpose=PURPOSE, secret=settings.SECRET_KEY)


def find(token: str) -> Declaration | None:
    """The declaration of a token; None for one that is not ours, or of somebody who was forgotten."""
    try:
        raw = unseal(token, purpose=PURPOSE, secrets=(settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))
    except BadToken:
        return None
    return Declaration.objects.filter(id=int.from_bytes(raw), name__isnull=False).first() if len(raw) == 8 else None
