"""Balances of a foreign program: mirrored in any order, moved over once."""

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from loyalty.kit.applying import apply_documents
from loyalty.partners import foreign
from loyalty.partners.models import ForeignAccount, ForeignProgram
from tests.db.loyalty.partners.world import NOW, club
from tests.db.loyalty.program.club import balance, customer, violations

pytestmark = pytest.mark.django_db
OLD = {"kind": "foreign_program", "key": "payoff", "rate": 0.5, "worth": 0.005}


def program() -> ForeignProgram:
    return ForeignProgram.objects.select_related("program").get(key="payoff")


def test_balances_are_mirrored_in_any_order() -> None:
    club(OLD)
    customer("anna")
    rows = [
        {"number": "A", "balance": 100, "customer": "anna"},
        {"number": "B", "balance": 7},
        {"number": "B", "balance": 8},
        {"number": "C", "balance": -1},
    ]
    done = foreign.mirror(foreign=program(), rows=rows, now=NOW)
    assert (done.created, done.updated, done.unchanged, done.unknown) == (2, 0, 0, 1)
    assert [(place, problems[0].where) for place, problems in done.rejected] == [(2, "number"), (3, "balance")]
    old = foreign.mirror(
        foreign=program(),
        rows=[{"number": "A", "balance": 5, "as_of": (NOW - timedelta(days=1)).isoformat()}],
        now=NOW,
    )
    assert (old.updated, old.unchanged) == (0, 1)
    # The owner is told later.
    assert (
        foreign.mirror(foreign=program(), rows=[{"number": "B", "balance": 7, "customer": "anna"}], now=NOW).updated
        == 1
    )
    assert list(ForeignAccount.objects.order_by("number").values_list("number", "balance")) == [("A", 100), ("B", 7)]


def test_points_move_over_once() -> None:
    club(OLD)
    customer("anna")
    foreign.mirror(foreign=program(), rows=[{"number": "A", "balance": 101, "customer": "anna"}], now=NOW)
    plan = foreign.exit_plan(program())
    assert (plan["accounts"], plan["known"], plan["members"], plan["open"], plan["ours"]) == (1, 1, 0, 101, 50)
    assert (str(plan["cost"]), str(plan["worth"])) == ("0.50", "0.50")
    done = foreign.move_over(foreign=program(), now=NOW)
    assert (done.accounts, done.foreign_points, done.points) == (1, 101, 50)
    assert foreign.move_over(foreign=program(), now=NOW).accounts == 0
    assert balance("anna") == (0, 50, 0, 0)
    foreign.mirror(foreign=program(), rows=[{"number": "A", "balance": 121}], now=NOW + timedelta(days=1))
    assert foreign.move_over(foreign=program(), now=NOW).points == 10
    assert balance("anna") == (0, 60, 0, 0)
    assert violations() == {}


def test_a_file_is_imported(tmp_path: Path) -> None:
    club(OLD)
    customer("anna")
    file = tmp_path / "accounts.csv"
    file.write_text("number,balance,external_id\nA,100,anna\nB,x,\nC,5,\n")
    out, err = StringIO(), StringIO()
    call_command("import_foreign_accounts", "payoff", str(file), "--dry-run", stdout=out, stderr=err)
    assert ForeignAccount.objects.count() == 0
    call_command("import_foreign_accounts", "payoff", str(file), stdout=out, stderr=err)
    assert out.getvalue().splitlines()[1] == "created 2, updated 0, unchanged 0, unknown 1, rejected 1"
    assert "line 3: balance" in err.getvalue()


def test_documents_come_back_as_they_were_given() -> None:
    from loyalty.kit.documents import kinds

    club(OLD)
    for kind in ("partner", "foreign_program"):
        exported = list(kinds.get(kind).export())
        assert exported
        assert {change.verdict for change in apply_documents(exported, now=NOW)} == {"unchanged"}
