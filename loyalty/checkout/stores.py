"""Stores are written as documents; an API key can be tied to one."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from loyalty.access.models import ApiKey
from loyalty.checkout.definition import StoreDocument
from loyalty.checkout.models import Store, StoreKey, StoreStaff
from loyalty.kit.documents import Change
from loyalty.kit.problems import Problem, Problems


def shown(store: Store) -> dict[str, Any]:
    """The document that `apply` would leave unchanged."""
    return {"kind": "store", "key": store.key, **store.definition}


@transaction.atomic
def save(given: StoreDocument, *, now: datetime) -> Change:
    """Make or change a store."""
    stored = Store.objects.select_for_update().filter(key=given.key).first()
    before = shown(stored) if stored else None
    after = {"kind": "store", "key": given.key, **given.plain()}
    if stored and before == after:
        return Change("store", given.key, "unchanged", before, after)
    Store.objects.update_or_create(
        key=given.key,
        defaults={
            "name": given.name,
            "state": "closed" if given.closed else "open",
            "region": given.region,
            "city": given.city,
            "definition": given.plain(),
            "updated_at": now,
        },
        create_defaults={
            "name": given.name,
            "state": "closed" if given.closed else "open",
            "region": given.region,
            "city": given.city,
            "definition": given.plain(),
            "created_at": now,
            "updated_at": now,
        },
    )
    return Change("store", given.key, "updated" if stored else "created", before, after)


def tie(*, store_id: int, prefix: str, now: datetime) -> None:
    """Let an API key, named by how it begins, speak for this store only. Raises Problems."""
    key = ApiKey.objects.filter(prefix=prefix.strip().rstrip(".…"), revoked_at=None).first()
    if key is None:
        raise Problems([Problem("key", f"no live API key begins with {prefix!r}", "look at the list of API keys")])
    StoreKey.objects.update_or_create(api_key_id=key.pk, defaults={"store_id": store_id, "created_at": now})


def untie(*, store_id: int) -> int:
    """Let the store's keys speak for all stores again; how many."""
    return StoreKey.objects.filter(store_id=store_id).delete()[0]


def add_staff(*, store_id: int, username: str, now: datetime) -> None:
    """Let a user serve at this store, and at no other. Raises Problems."""
    user = User.objects.filter(username=username.strip(), is_active=True).first()
    if user is None:
        raise Problems([Problem("user", f"there is no user {username!r}", "make one under Users, with a role")])
    if not (user.is_staff and user.has_perm("checkout.use_counter")):
        remedy = "give them a role with “Can look up customers and book at the counter”"
        raise Problems([Problem("user", "may not use the counter", remedy)])
    StoreStaff.objects.update_or_create(user_id=user.pk, defaults={"store_id": store_id, "created_at": now})


def remove_staff(*, store_id: int, username: str) -> None:
    """Let a user no longer serve at this store. Raises Problems for somebody who does not."""
    user = User.objects.filter(username=username.strip()).first()
    if user is None or not StoreStaff.objects.filter(pk=user.pk, store_id=store_id).delete()[0]:
        raise Problems([Problem("user", f"{username!r} does not serve here", "look at the names on the page")])


def staff_of(store_id: int) -> list[User]:
    """The users who serve at a store."""
    ids = StoreStaff.objects.filter(store_id=store_id).values_list("user_id", flat=True)
    return list(User.objects.filter(pk__in=list(ids)).order_by("username"))
