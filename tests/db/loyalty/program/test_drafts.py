"""Replaying a draft of a rule, importing points, the calls beside the ledger, what doctor says."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from loyalty.access.operations import create_api_key
from loyalty.kit import clock
from loyalty.kit.problems import Problems
from loyalty.kit.sql import execute, fetch
from loyalty.program import caps, households, referrals
from loyalty.program.diagnoses import programs
from loyalty.program.imports import import_points
from loyalty.program.replay import replay
from tests.db.loyalty.program.club import BASE, NOW, applied, balance, buy, customer, give_back, member_of, violations

pytestmark = pytest.mark.django_db
DOUBLE: dict[str, Any] = {"kind": "earning_rule", "key": "double", "type": "multiplier", "factor": 2, "priority": 200}
TIERS = [
    {"kind": "tier", "key": "silver", "rank": 1, "threshold": 100},
    {"kind": "tier", "key": "gold", "rank": 2, "threshold": 500},
]


def test_a_draft_is_replayed_and_nothing_is_kept() -> None:
    setup = applied(BASE)
    for who in ("anna", "ben"):
        customer(who)
    buy(setup, "r0", "anna", 1000, now=NOW - timedelta(days=40))
    for place in range(3):
        buy(setup, f"r{place + 1}", "anna", 100, now=NOW - timedelta(days=3 - place))
    buy(setup, "r9", "ben", 50, now=NOW - timedelta(days=1))
    give_back(setup, "x1", "r9")
    before = fetch("SELECT count(*), sum(amount) FROM lot")
    found = replay({**DOUBLE, "caps": {"person": 150}}, setup=setup, weeks=4, now=NOW)
    assert (found.known, found.bookings, found.members, found.cost) == (4, 4, 2, Decimal("2.00"))
    assert [(one.rule, one.draft, one.actual, one.replayed, one.cost) for one in found.rules] == [
        ("base", False, 350, 350, Decimal("0.00")),
        ("double", True, 0, 200, Decimal("2.00")),
    ]
    # A change of a rule that is there already is compared with what it gave.
    found = replay({**BASE, "points": 3}, setup=setup, weeks=4, now=NOW, most=2)
    assert (found.known, found.bookings) == (4, 2)
    assert [(one.rule, one.actual, one.replayed) for one in found.rules] == [("base", 150, 450)]
    assert fetch("SELECT count(*), sum(amount) FROM lot") == before
    assert violations() == {}


def test_a_bad_draft_is_refused_like_a_bad_document() -> None:
    setup = applied(BASE)
    with pytest.raises(Problems) as caught:
        replay({**DOUBLE, "factor": "many", "wrong": 1}, setup=setup, weeks=4, now=NOW)
    assert sorted(one.where for one in caught.value.problems) == ["factor", "wrong"]
    with pytest.raises(Problems) as caught:
        replay(DOUBLE, setup=setup, weeks=0, now=NOW)
    assert [one.where for one in caught.value.problems] == ["weeks"]


def test_points_are_imported_once(tmp_path) -> None:
    applied(BASE)
    customer("anna")
    customer("ben")
    execute("UPDATE customer SET email = 'ben@example.com' WHERE external_id = 'ben'")
    file = tmp_path / "points.csv"
    file.write_text(
        "id,customer,email,points,expires_at\n1,anna,,100,2031-12-31T23:00:00+01:00\n2,,ben@example.com,50,\n"
        "3,nobody,,5,\n4,anna,,-1,\n5,anna,,7,2031-12-31\n2,anna,,1,\n"
    )
    out = StringIO()
    call_command("import_points", str(file), "--dry-run", stdout=out)
    assert out.getvalue().splitlines()[0] == "2 rows with 150 points would be given, 0 came before, 4 rejected"
    assert fetch("SELECT count(*) FROM lot") == [(0,)]
    for expected in ("2 rows with 150 points given, 0 came before", "0 rows with 0 points given, 2 came before"):
        out = StringIO()
        call_command("import_points", str(file), stdout=out)
        assert out.getvalue().splitlines()[0] == f"{expected}, 4 rejected"
    assert (balance("anna")[1], balance("ben")[1]) == (100, 50)
    lines = (tmp_path / "points.rejected.csv").read_text().splitlines()
    assert lines[0] == "line,id,customer,email,points,expires_at,why"
    assert [line.split(",")[0] for line in lines[1:]] == ["4", "5", "6", "7"]
    assert violations() == {}
    file.write_text("customer,points\nanna,1\n")
    with pytest.raises(CommandError, match="lacks the columns id"):
        call_command("import_points", str(file))


def test_the_number_of_queries_of_an_import_does_not_grow(django_assert_max_num_queries) -> None:
    setup = applied(BASE)
    rows = []
    for place in range(200):
        customer(f"c{place}")
        rows.append({"id": str(place), "customer": f"c{place}", "points": "5"})
    with django_assert_max_num_queries(25):
        assert import_points(rows, setup=setup, wallet=None, reason=None, now=NOW).given == 200


def test_a_short_expiry_is_warned_of() -> None:
    applied(BASE, wallets=[{"key": "points", "expiry": {"after": "12 months", "until": "month"}}, {"key": "safe"}])
    found = [(one.level, one.text) for one in programs()]
    assert found == [
        ("warning", "club, wallet points: points expire before the end of the year in which 36 months end"),
        ("ok", "programs: club"),
    ]


def test_the_calls_beside_the_ledger(client) -> None:
    friends = {"kind": "earning_rule", "key": "friends", "type": "referral", "points": 500}
    setup = applied(BASE, friends, *TIERS, households={})
    for who in ("anna", "ben", "cara"):
        customer(who)
    for who in ("anna", "ben"):
        buy(setup, f"r-{who}", who, 120, now=clock.now())
    execute("UPDATE member SET tier_id = NULL WHERE id = (SELECT min(id) FROM member)")
    secret = create_api_key(name="till", scopes=["loyalty:read", "loyalty:write"], now=NOW).secret

    def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = getattr(client, method)(
            f"/api/v1/loyalty/{path}", data=body, content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )  # fmt: skip
        return answer.status_code, answer.json()

    assert call("get", "tiers/preview") == (
        200,
        {
            "program": "club",
            "moves": [
                {"now": "silver", "then": "silver", "members": 1, "direction": "same"},
                {"now": None, "then": "silver", "members": 1, "direction": "up"},
            ],
        },
    )
    status, made = call("post", "members/anna/referral-code")
    assert (status, made["link"], made["friends"]) == (200, "", [])
    status, came = call("post", "referrals", {"code": made["code"], "customer": "cara"})
    assert (status, came["state"]) == (200, "waiting")
    status, refused = call("post", "referrals", {"code": made["code"], "customer": "ben"})
    assert (status, [one["problem"] for one in refused["error"]["details"]]) == (
        422,
        ["has bought before (only new customers are referred)"],
    )
    assert call("post", "members/anna/household", {"name": "Home"})[0] == 200
    status, home = call("post", "members/anna/household/members", {"customer": "ben"})
    assert (status, home["available"], len(home["members"])) == (200, 240, 2)
    status, spent = call("post", "members/ben/household/spend", {"points": 130})
    assert (status, spent["points"], spent["balances"][0]["available"]) == (200, 130, 0)
    assert call("post", "members/ben/household/members", {"customer": "cara"})[0] == 422
    assert call("delete", "members/ben/household")[0] == 200
    status, found = call("post", "rules/replay", {"rule": DOUBLE, "weeks": 2})
    assert (status, found["bookings"], [one["replayed"] for one in found["rules"]]) == (200, 2, [240, 240])
    assert violations() == {}


def test_the_pages_beside_the_ledger(admin_client) -> None:
    setup = applied(BASE, *TIERS, households={}, velocity=[{"of": "purchase", "max": 1, "per": "1d"}])
    friends = {"kind": "earning_rule", "key": "friends", "type": "referral", "points": 500, "most": 1}
    for name in ("review", "referral", "household", "pointsorder"):
        assert admin_client.get(f"/admin/program/{name}/").status_code == 200
    setup = applied(BASE, friends, *TIERS, households={}, velocity=[{"of": "purchase", "max": 1, "per": "1d"}])
    for who in ("anna", "ben", "cara"):
        customer(who)
    for place in range(2):
        buy(setup, f"r{place}", "anna", 60, now=clock.now())
    execute("UPDATE member SET tier_id = NULL")
    page = admin_client.get(f"/admin/program/program/{setup.id}/tiers/")
    assert "1 would rise, 0 would fall" in page.content.decode()
    assert admin_client.get("/admin/program/program/999/tiers/").status_code == 404
    code = referrals.code_of(member_of("anna"), now=NOW)
    for who in ("ben", "cara"):
        came = referrals.refer(code=code, friend_customer_id=id_of(who), setup=setup, now=clock.now())
    assert admin_client.get(f"/admin/program/referral/{came.id}/change/").status_code == 200
    assert admin_client.post(f"/admin/program/referral/{came.id}/act/refuse/").status_code == 302
    assert fetch("SELECT state FROM referral ORDER BY id") == [("waiting",), ("refused",)]
    assert caps.look(setup, now=clock.now()) == 2
    number = fetch("SELECT id FROM member_review")[0][0]
    assert admin_client.get(f"/admin/program/review/{number}/change/").status_code == 200
    assert admin_client.post(f"/admin/program/review/{number}/act/freeze/").status_code == 302
    assert fetch("SELECT state FROM member ORDER BY id LIMIT 1") == [("frozen",)]
    home = households.found(owner_id=member_of("ben"), name="Home", setup=setup, now=NOW)
    assert "Home" in admin_client.get(f"/admin/program/household/{home}/change/").content.decode()


def id_of(who: str) -> int:
    return fetch("SELECT id FROM customer WHERE external_id = %(w)s", {"w": who})[0][0]
