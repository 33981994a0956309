"""Points: `{type: points, points: 50, wallet: points}`."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import ngettext

from loyalty.kit.problems import Problem, Problems
from loyalty.kit.sql import fetch, sql
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program import membership, movements, names, wording
from loyalty.program.definition import Points as Amount
from loyalty.program.definition import Strict
from loyalty.program.models import Program
from loyalty.program.setup import Setup, load_all


class Parameters(Strict):
    """In the program's first wallet unless said."""

    points: Amount
    wallet: str | None = None


@prize_kinds.register("points")
class Points:
    """Granted in the ledger, once for each award."""

    parameters = Parameters
    by_hand = False

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        if declared.get("program"):
            return []
        if not (setups := load_all()):
            return [Problem("", "there is no program to give points in", "apply a document of kind program first")]
        known = {key for setup in setups for key in setup.wallet_ids}
        if parameters.wallet is None or parameters.wallet in known:
            return []
        return [Problem("wallet", f"there is no wallet {parameters.wallet!r}", f"known: {', '.join(sorted(known))}")]

    def sentence(self, parameters: Parameters) -> str:
        count = wording.number(parameters.points)
        return ngettext("%(count)s point", "%(count)s points", parameters.points) % {"count": count}

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        setup = _setup(program_id)
        people = {one.customer_id for one in winners}
        members = membership.of_customers(people, program_id=setup.id)
        if setup.document.join == "automatic" and (strangers := people - members.keys()):
            membership.join(strangers, setup=setup, now=now)
            members |= membership.of_customers(strangers, program_id=setup.id)
        grants = [
            movements.Grant(members[one.customer_id][0], parameters.points, one.key)
            for one in winners
            if one.customer_id in members
        ]
        movements.grant(grants, setup=setup, wallet=parameters.wallet, kind=names.OCCASION, reason="prize", now=now)
        booked = dict(
            fetch(
                sql(
                    "SELECT key_digest, id FROM booking WHERE key_digest = ANY({keys}::uuid[])",
                    keys=[one.key for one in winners],
                )
            )
        )
        return {one.award_id: str(booked[one.key]) for one in winners if one.key in booked}


def _setup(program_id: int | None) -> Setup:
    found = list(Program.objects.filter(pk=program_id) if program_id else Program.objects.order_by("id")[:2])
    if len(found) != 1:
        raise Problems([Problem("program", "there is no program, or there are several", "name one in the document")])
    return load_all(found)[0]
