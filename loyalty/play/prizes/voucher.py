"""A voucher out of a pool: `{type: voucher, pool: ten_off}`."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.translation import gettext

from loyalty.kit.admin import localized
from loyalty.kit.problems import Problem
from loyalty.offers import issuing
from loyalty.offers.models import VoucherPool
from loyalty.play.prize import Winner, prize_kinds
from loyalty.program.definition import Strict


class Parameters(Strict):
    """The key of the pool."""

    pool: str


@prize_kinds.register("voucher")
class Voucher:
    """One code for each award; an empty pool keeps the prize waiting."""

    parameters = Parameters
    by_hand = False

    def problems(self, parameters: Parameters, declared: dict[str, set[str]]) -> list[Problem]:
        known = [*VoucherPool.objects.order_by("key").values_list("key", flat=True)]
        if parameters.pool in known or parameters.pool in declared.get("voucher_pool", ()):
            return []
        remedy = f"known: {', '.join(known[:10]) or 'none yet'}"
        return [Problem("pool", f"there is no voucher pool {parameters.pool!r}", remedy)]

    def sentence(self, parameters: Parameters) -> str:
        pool = VoucherPool.objects.filter(key=parameters.pool).first()
        name = localized(pool.name, pool.key) if pool else parameters.pool
        return gettext("the voucher “%(pool)s”") % {"pool": name}

    def give(
        self, parameters: Parameters, winners: Sequence[Winner], *, program_id: int | None, now: datetime
    ) -> dict[int, str | None]:
        wanted = [issuing.Wanted(one.customer_id, one.key) for one in winners]
        issued = issuing.issue(parameters.pool, wanted, source="prize", now=now)
        return {one.award_id: got.code for one, got in zip(winners, issued, strict=True) if got}
