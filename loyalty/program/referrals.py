"""Friends whom members bring: codes, who came with one, doubts, and points once the return window has passed."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from loyalty.kit.periods import Period
from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import execute, fetch, sql
from loyalty.program import membership, names, occasions
from loyalty.program.companions import Referral, ReferralCode
from loyalty.program.earning.referral import FRIEND, REFERRER
from loyalty.program.receipts import key_of
from loyalty.program.setup import Setup

# Without letters and digits that look or sound alike; 8 of 28 are 378 billion codes.
ALPHABET = "ACDEFGHJKLMNPQRTUVWXY3467890"
LENGTH = 8
MONTH = timedelta(days=30)
SAME_ADDRESS, MANY = "lives where the member lives", "many friends in a month"

# One mailbox has many spellings: capitals, what follows a plus, dots at Google.
_MAILBOX = """regexp_replace(CASE WHEN lower({c}.email) LIKE '%@gmail.com' OR lower({c}.email) LIKE '%@googlemail.com'
    THEN replace(split_part(split_part(lower({c}.email), '@', 1), '+', 1), '.', '') || '@gmail.com'
    ELSE split_part(split_part(lower({c}.email), '@', 1), '+', 1) || '@' || split_part(lower({c}.email), '@', 2) END,
    '\\s', '', 'g')"""
_COMPARED = f"""SELECT {_MAILBOX.format(c="a")} = {_MAILBOX.format(c="b")}, a.phone = b.phone,
    lower(a.last_name) = lower(b.last_name) AND a.postcode = b.postcode
    FROM customer a, customer b, member m WHERE m.id = {{referrer}} AND a.id = m.customer_id AND b.id = {{friend}}"""


@dataclass(frozen=True, slots=True)
class Came:
    """A referral that was written down; `doubt` says why somebody looks at it first."""

    id: int
    state: str
    doubt: str | None


def rule_of(setup: Setup) -> Any:
    """The parameters of the first referral rule; raises Problems without one."""
    found = next((rule for rule in setup.rules if rule.document.type == "referral"), None)
    if found is None:
        remedy = "apply an earning_rule of type referral"
        raise Problems([Problem("program", f"{setup.key} gives nothing for friends", remedy)])
    return found.parameters


def code_if_any(member_id: int) -> str | None:
    """The member's code, None before it was made."""
    return ReferralCode.objects.filter(member_id=member_id).values_list("code", flat=True).first()


@transaction.atomic
def code_of(member_id: int, *, now: datetime) -> str:
    """The member's code, made when it is first asked for."""
    while True:
        found = ReferralCode.objects.filter(member_id=member_id).first()
        if found:
            return found.code
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        ReferralCode.objects.bulk_create(
            [ReferralCode(member_id=member_id, code=code, created_at=now)], ignore_conflicts=True
        )


def link_of(code: str, setup: Setup) -> str:
    """The address to pass on; empty where the rule has none."""
    return str(rule_of(setup).link).replace("{code}", code)


@transaction.atomic
def refer(*, code: str, friend_customer_id: int, setup: Setup, now: datetime) -> Came:
    """Write down that a friend came with a code; the friend is a member then. Raises Problems.

    Refused: oneself by another mailbox spelling or the same phone, a friend who bought before, whoever came with a code
    already or referred this very member. Doubtful, for somebody to decide: the same name at the same place, and more
    friends in a month than the rule allows.
    """
    if setup.earning_over(now):
        raise Problems([Problem("program", f"{setup.key} ends: nothing is earned after {setup.earns_until}")])
    rules = rule_of(setup)
    giver = fetch(
        sql(
            "SELECT m.id, m.customer_id FROM referral_code r JOIN member m ON m.id = r.member_id"
            " WHERE r.code = {code} AND m.program_id = {program} AND m.customer_id IS NOT NULL",
            code=code.strip().upper(),
            program=setup.id,
        )
    )
    if not giver:
        raise Problems([Problem("code", "is nobody's code", "check it for mistakes")])
    referrer_id, referrer_customer = giver[0]
    if referrer_customer == friend_customer_id:
        raise Problems([Problem("customer", "is the member who refers", "a friend is somebody else")])
    membership.join([friend_customer_id], setup=setup, now=now)
    friend = membership.of_customers([friend_customer_id], program_id=setup.id).get(friend_customer_id)
    if friend is None:
        raise Problems([Problem("customer", "is not known")])
    friend_id = friend[0]
    states = membership.lock([referrer_id, friend_id])
    problems = [
        Problem(where, wrong.problem, wrong.remedy)
        for member_id, where in ((referrer_id, "code"), (friend_id, "customer"))
        if (state := states.get(member_id, "gone")) != "active"
        for wrong in [membership.unfit(state)]
    ]
    problems += _refusals(referrer_id, friend_id)
    same_mailbox, same_phone, same_place = fetch(sql(_COMPARED, referrer=referrer_id, friend=friend_customer_id))[0]
    if same_mailbox or same_phone:
        problems.append(Problem("customer", "has the address of the member who refers", "nobody refers themselves"))
    if problems:
        raise Problems(problems)
    lately = Referral.objects.filter(referrer_id=referrer_id, came_at__gt=now - MONTH).count()
    doubt = SAME_ADDRESS if same_place else MANY if lately >= rules.most else None
    state = Referral.State.DOUBTFUL if doubt else Referral.State.WAITING
    made = Referral.objects.create(
        program_id=setup.id, referrer_id=referrer_id, friend_id=friend_id, state=state, doubt=doubt, came_at=now
    )
    return Came(made.pk, str(state), doubt)


def _refusals(referrer_id: int, friend_id: int) -> list[Problem]:
    bought, came, circle = fetch(
        sql(
            "SELECT EXISTS (SELECT FROM booking WHERE member_id = {friend} AND kind = {purchase}),"
            " EXISTS (SELECT FROM referral WHERE friend_id = {friend}),"
            " EXISTS (SELECT FROM referral WHERE friend_id = {referrer} AND referrer_id = {friend})",
            friend=friend_id,
            referrer=referrer_id,
            purchase=names.PURCHASE,
        )
    )[0]
    found = []
    if bought:
        found.append(Problem("customer", "has bought before", "only new customers are referred"))
    if came:
        found.append(Problem("customer", "came with a code already", "nobody is referred twice"))
    if circle:
        found.append(Problem("customer", "referred this very member", "two people do not refer each other"))
    return found


def qualify(setup: Setup, *, now: datetime, limit: int = 1_000) -> int:
    """Reward the referrals whose friend bought enough, long enough ago, and kept it; how many. Set-based."""
    if not any(rule.document.type == "referral" for rule in setup.rules):
        return 0
    rules = rule_of(setup)
    query = sql(
        """SELECT r.id, r.referrer_id, r.friend_id FROM referral r WHERE r.program_id = {program}
            AND r.state = 'waiting' AND EXISTS (
                SELECT FROM booking b WHERE b.member_id = r.friend_id AND b.kind = {purchase}
                AND b.occurred_at >= r.came_at AND b.occurred_at <= {until}
                AND b.amount - coalesce((SELECT sum(x.amount) FROM booking x WHERE x.original_id = b.id
                    AND x.kind IN ('return', 'void')), 0) >= {minimum}::numeric)
            AND (SELECT count(*) FROM member m WHERE m.id IN (r.referrer_id, r.friend_id) AND m.state = 'active') = 2
        ORDER BY r.came_at, r.id LIMIT {limit}""",
        program=setup.id,
        purchase=names.PURCHASE,
        until=now - timedelta(seconds=Period.parse(rules.after).seconds or 0),
        minimum=rules.minimum,
        limit=limit,
    )
    with transaction.atomic():
        rows = fetch(query)
        if not rows:
            return 0
        membership.lock([member_id for row in rows for member_id in row[1:]])
        done = {
            row[0]
            for row in fetch(
                sql(
                    "UPDATE referral SET state = 'rewarded', decided_at = {now} WHERE id = ANY({ids}::bigint[])"
                    " AND state = 'waiting' RETURNING id",
                    now=now,
                    ids=[row[0] for row in rows],
                )
            )
        }
        occasions.book(
            setup,
            [
                (member_id, key_of("referral", f"{number}:{side}"), {"event": "referral", "properties": {"side": side}})
                for number, referrer_id, friend_id in rows
                if number in done
                for member_id, side in ((referrer_id, REFERRER), (friend_id, FRIEND))
            ],
            now=now,
        )
    return len(done)


@transaction.atomic
def decide(*, referral_id: int, accept: bool, by: str, now: datetime) -> None:
    """Let a doubtful referral wait for its purchase, or refuse it; raises Problems."""
    changed = execute(
        sql(
            "UPDATE referral SET state = {state}, decided_by = {by}, decided_at = {now} WHERE id = {id}"
            " AND state = 'doubtful'",
            state="waiting" if accept else "refused",
            by=by,
            now=now,
            id=referral_id,
        )
    )
    if not changed:
        raise Problems([Problem("referral", "was decided already")])


def of_member(member_id: int) -> list[dict[str, Any]]:
    """Friends of a member, newest first: the state only, never who they are."""
    rows = Referral.objects.filter(referrer_id=member_id).order_by("-id").values_list("id", "state", "came_at")[:500]
    return [{"id": number, "state": state, "came_at": came_at} for number, state, came_at in rows]
