"""What the admin and the public page call fields, conditions and accounts."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from loyalty.partners.contract import ATTRIBUTES

FIELDS = {
    "balance": _("points that can be spent"),
    "tier": _("tier"),
    "member_since": _("member since"),
    "state": _("state of the membership"),
    "email": _("email address"),
    "phone": _("phone number"),
    "first_name": _("first name"),
    "last_name": _("last name"),
    "locale": _("language"),
    "country": _("country"),
    "city": _("city"),
    "postcode": _("postcode"),
    "birth_date": _("date of birth"),
}
CONDITIONS = {
    "members": _("of every member it serves"),
    "enrolled": _("of people who joined through it, or agreed"),
    "consented": _("of people who agreed to it"),
}
OCCASIONS = {
    "lookup": _("the partner asked"),
    "transaction": _("purchase at the partner"),
    "enrollment": _("enrollment at the partner"),
}


def field_name(field: str) -> Any:
    """A field in words; an own attribute by its key."""
    return FIELDS.get(field, field.removeprefix(ATTRIBUTES))
