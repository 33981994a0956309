"""Rewards in the result: what those ordered cost us, and what members paid in addition."""

from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from loyalty.finance.pnl_line import Line, Span, pnl_lines, there
from loyalty.kit.sql import fetch, sql


@pnl_lines.register("rewards")
class Rewards:
    """Redemptions ordered in the month at the cost that their reward names; one that is cancelled counts again in the
    month of its cancellation, the other way round."""

    order = 40
    names = {
        "reward_cost": _("Cost of rewards"),
        "reward_money": _("Money that members added for rewards"),
    }

    def lines(self, span: Span) -> list[Line]:
        """One query over the redemptions of the month."""
        if not there("reward", "reward_redemption"):
            return []
        cost, money, count = fetch(
            sql(
                "SELECT coalesce(sum(q.sign * q.quantity * coalesce((w.definition ->> 'cost')::numeric, 0)), 0),"
                " coalesce(sum(q.sign * coalesce(q.money, 0)), 0), coalesce(sum(q.sign * q.quantity), 0) FROM ("
                "   SELECT 1 AS sign, reward_id, quantity, money FROM reward_redemption WHERE program_id = {program}"
                "   AND ordered_at >= {start} AND ordered_at < {end}"
                "   UNION ALL SELECT -1, reward_id, quantity, money FROM reward_redemption WHERE program_id = {program}"
                "   AND state = 'cancelled' AND state_since >= {start} AND state_since < {end}"
                " ) q JOIN reward w ON w.id = q.reward_id",
                program=span.setup.id,
                start=span.start,
                end=span.end,
            )
        )[0]
        return [Line("reward_cost", -Decimal(cost), int(count)), Line("reward_money", Decimal(money))]
