"""Pure: the data contract: what may be passed on about whom."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# What a till needs to serve a member, and says nothing about the person outside the program.
ABOUT_MEMBERSHIP = ("balance", "tier", "member_since", "state")
PERSONAL = (
    "email", "phone", "first_name", "last_name", "locale", "country", "city", "postcode", "birth_date",
)  # fmt: skip
ATTRIBUTES = "attributes."
MEMBERS, ENROLLED, CONSENTED = "members", "enrolled", "consented"


class Passing(Protocol):
    """A field of the contract."""

    @property
    def field(self) -> str: ...
    @property
    def to(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is to a partner: whether they enrolled there, and whether they agreed that it gets their data."""

    enrolled: bool
    consented: bool


def known_field(name: str) -> bool:
    """Whether a field of that name can be passed on at all."""
    return name in ABOUT_MEMBERSHIP or name in PERSONAL or (name.startswith(ATTRIBUTES) and len(name) > len(ATTRIBUTES))


def allowed(fields: Iterable[Passing], standing: Standing) -> list[str]:
    """The names of the fields that the partner may see of a person with that standing.

    Who enrolled with the partner gave it the data themselves; everybody else's are passed on only after they agreed.
    Withdrawing the agreement does not take back what they gave the partner when they enrolled there.
    """
    given = {
        MEMBERS: True,
        ENROLLED: standing.enrolled or standing.consented,
        CONSENTED: standing.consented,
    }
    return [one.field for one in fields if given[one.to]]


def released(names: Collection[str], person: Mapping[str, Any], membership: Mapping[str, Any]) -> dict[str, Any]:
    """The values of those fields; what is not known is left out."""
    found: dict[str, Any] = {}
    for name in names:
        if name in ABOUT_MEMBERSHIP:
            value = membership.get(name)
        elif name.startswith(ATTRIBUTES):
            value = (person.get("attributes") or {}).get(name.removeprefix(ATTRIBUTES))
        else:
            value = person.get(name)
        if value is not None:
            found[name] = value
    return found
