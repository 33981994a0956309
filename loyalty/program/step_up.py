"""The member's PIN: set, forgotten, and asked for when many points are spent or any are handed on.

Wrong ones are counted in the cache, outside of the transaction, which is undone when something is refused. Counted
before it is looked at, so that many guesses at once are no more than many in a row.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.utils.translation import gettext, ngettext

from loyalty.kit.problems import Problem, Problems
from loyalty.program.definition import Pin
from loyalty.program.life import MemberPin
from loyalty.program.setup import Setup

_DIGITS = re.compile(r"[0-9]{4,8}")
_RUN = "01234567890"
# About 15 ms and 4 MB: ten thousand PINs are soon tried by whoever has the table and the key, so the key counts.
_COST = {"n": 4096, "r": 8, "p": 1}
MISSING, UNSET, WRONG, LOCKED, AWAY = "missing", "unset", "wrong", "locked", "away"


class PinRefused(Problems):
    """Why a PIN did not do: `reason`, how many attempts are `left`, how many `minutes` it is locked."""

    def __init__(self, problem: Problem, *, reason: str, left: int = 0, minutes: int = 0) -> None:
        super().__init__([problem])
        self.reason, self.left, self.minutes = reason, left, minutes


@dataclass(frozen=True, slots=True)
class Asked:
    """One of many who want to spend: what is refused is told under its `place`."""

    place: int
    member_id: int
    points: int
    pin: str | None


def needed(setup: Setup, *, points: int = 0, transfer: bool = False) -> bool:
    """Whether the program asks for the PIN before this."""
    rules = setup.document.pin
    if rules is None:
        return False
    return rules.transfer if transfer else rules.spend_above is not None and points > rules.spend_above


def check(member_id: int, pin: str | None, *, setup: Setup, points: int = 0, transfer: bool = False) -> None:
    """Nothing where no PIN is needed, or it is right; else raises PinRefused (which are Problems)."""
    if needed(setup, points=points, transfer=transfer):
        stored = MemberPin.objects.filter(member_id=member_id).first()
        refused = _refused(stored, pin, setup.document.pin or Pin())
        if refused is not None:
            raise refused


def refusals(asked: Sequence[Asked], *, setup: Setup) -> dict[int, Problem]:
    """The same for many, by place; one query."""
    concerned = [one for one in asked if needed(setup, points=one.points)]
    if not concerned:
        return {}
    stored = MemberPin.objects.in_bulk([one.member_id for one in concerned])
    found = {}
    for one in concerned:
        refused = _refused(stored.get(one.member_id), one.pin, setup.document.pin or Pin())
        if refused is not None:
            found[one.place] = refused.problems[0]
    return found


def _refused(stored: MemberPin | None, pin: str | None, rules: Pin) -> PinRefused | None:
    if stored is None:
        return PinRefused(Problem("pin", "is needed and not set", "the member sets a PIN first"), reason=UNSET)
    if not pin:
        return PinRefused(Problem("pin", "is needed", "ask the member for the PIN"), reason=MISSING)
    try:
        count = _counted(_key(stored), rules.lockout_seconds)
    except Exception:  # whatever the cache's client raises when its server is away: then nobody may guess
        return PinRefused(Problem("pin", "cannot be checked just now", "try again in a minute"), reason=AWAY)
    if count <= rules.attempts and hmac.compare_digest(bytes(stored.hash), _hash(pin, bytes(stored.salt))):
        cache.delete(_key(stored))
        return None
    if count >= rules.attempts:
        if count == rules.attempts:
            cache.touch(_key(stored), rules.lockout_seconds)
        minutes = max(1, -(-rules.lockout_seconds // 60))
        problem = Problem("pin", "was wrong too often", f"try again in {minutes} minutes, or set a new one")
        return PinRefused(problem, reason=LOCKED, minutes=minutes)
    left = rules.attempts - count
    return PinRefused(Problem("pin", "is wrong", f"attempts left: {left}"), reason=WRONG, left=left)


def sentence(refused: PinRefused) -> str:
    """The refusal in words for the member."""
    if refused.reason == WRONG:
        text = ngettext(
            "That PIN is wrong. You have %(n)s more try.", "That PIN is wrong. You have %(n)s more tries.", refused.left
        )
        return text % {"n": refused.left}
    if refused.reason == LOCKED:
        text = ngettext(
            "The PIN was wrong too often. Please try again in %(n)s minute.",
            "The PIN was wrong too often. Please try again in %(n)s minutes.",
            refused.minutes,
        )
        return text % {"n": refused.minutes}
    return {
        UNSET: gettext("Please set a PIN first: it protects your points."),
        MISSING: gettext("Please enter your PIN."),
    }.get(refused.reason, gettext("Your PIN cannot be checked just now. Please try again in a minute."))


def _key(stored: MemberPin) -> str:
    return f"pin:{stored.member_id}:{bytes(stored.salt).hex()}"


def _counted(key: str, seconds: int) -> int:
    cache.add(key, 0, max(60, seconds))
    return int(cache.incr(key))


def _hash(pin: str, salt: bytes) -> bytes:
    keyed = hmac.digest(settings.ADDRESS_KEY.encode(), pin.encode(), "sha256")
    return hashlib.scrypt(keyed, salt=salt, dklen=32, **_COST)


@transaction.atomic
def set_pin(*, member_id: int, pin: str, current: str | None, setup: Setup, now: datetime) -> None:
    """Set a PIN, or change it with the `current` one; raises Problems. Staff lets a forgotten one go by `clear_pin`."""
    problems = []
    if not _DIGITS.fullmatch(pin):
        problems.append(Problem("pin", "must be 4 to 8 digits"))
    elif len(set(pin)) == 1 or pin in _RUN or pin in _RUN[::-1]:
        problems.append(Problem("pin", "is too easy to guess", "no row of digits, not the same one again and again"))
    if problems:
        raise Problems(problems)
    stored = MemberPin.objects.select_for_update().filter(member_id=member_id).first()
    if stored is not None and (refused := _refused(stored, current, setup.document.pin or Pin())) is not None:
        raise refused
    salt = secrets.token_bytes(16)
    MemberPin.objects.update_or_create(
        member_id=member_id, defaults={"salt": salt, "hash": _hash(pin, salt), "set_at": now}
    )


def clear_pin(*, member_id: int) -> bool:
    """Forget the PIN, also a locked one; whether there was one."""
    return MemberPin.objects.filter(member_id=member_id).delete()[0] > 0


def has_pin(member_id: int) -> bool:
    """Whether the member has set one."""
    return MemberPin.objects.filter(member_id=member_id).exists()


def state(member_id: int, *, setup: Setup) -> dict[str, Any]:
    """Whether a PIN is set, since when, and whether it is locked; what it is asked for."""
    stored = MemberPin.objects.filter(member_id=member_id).first()
    rules = setup.document.pin
    tried = 0
    if stored is not None:
        try:
            tried = int(cache.get(_key(stored), 0))
        except Exception:  # as above; it is only shown
            tried = 0
    return {
        "set": stored is not None,
        "since": stored.set_at if stored else None,
        "locked": tried >= (rules or Pin()).attempts,
        "spend_above": rules.spend_above if rules else None,
        "transfer": bool(rules and rules.transfer),
    }
