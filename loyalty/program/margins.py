"""Pure: how the margin of a line limits the points it gets, in SQL over the CTEs of `award`.

The unit is the line. Whole points are compared: the points of a receipt are a whole number that is spread over its
lines, so that a line gets at most its share rounded up; a limit that is a whole number itself is thereby kept exactly.
"""

from collections.abc import Sequence

from loyalty.kit.sql import Sql, sql
from loyalty.program.rule_definition import MarginFloor
from loyalty.program.rules import Rule


def limited(rules: Sequence[Rule], place: int, points: Sql) -> Sql:
    """`points` (booking_id, no, points) of the rule at that place, cut to what the margins of the lines bear.

    A line whose margin is not known is not limited. What earlier rules give for the same line counts where the program
    protects its margins. Reads the CTEs `line` and `r0`, `r1`, ... of the rules before.
    """
    rule = rules[place]
    earlier = [before for before in range(place) if rules[before].worth] if rule.protected else []
    spent, joined = Sql("0::numeric"), Sql("")
    if earlier:
        costs = [
            sql(
                "SELECT booking_id, no, ceil(round(points, 6)) * {worth}::numeric AS cost FROM r{before}",
                worth=rules[before].worth,
                before=Sql(str(before)),
            )
            for before in earlier
        ]
        spent = Sql("coalesce(paid.cost, 0)")
        joined = sql(
            " FULL JOIN (SELECT booking_id, no, sum(cost) AS cost FROM ({costs}) each_one GROUP BY 1, 2) paid"
            " ON paid.booking_id = p.booking_id AND paid.no = p.no",
            costs=Sql(" UNION ALL ").join(costs),
        )
    floor = rule.document.margin_floor
    cut = Sql("least(given, room)")
    if floor is not None and floor.otherwise == "none":
        cut = Sql("CASE WHEN ceil(round(given, 6)) <= room THEN given ELSE 0 END")
    return sql(
        "SELECT booking_id, no, CASE WHEN margin IS NULL THEN given ELSE {cut} END AS points FROM ("
        " SELECT p.booking_id, p.no, p.points AS given, line.margin,"
        " greatest(0, floor(round((line.margin - {left} - {spent}) / {worth}::numeric, 6))) AS room"
        " FROM ({points}) p FULL JOIN line ON line.booking_id = p.booking_id AND line.no = p.no{joined}"
        # As in `award`: joined by hash whatever the planner guesses.
        " WHERE coalesce(p.points, 0) > 0) q",
        cut=cut,
        left=_left(floor),
        spent=spent,
        worth=rule.worth,
        points=points,
        joined=joined,
    )


def _left(floor: MarginFloor | None) -> Sql:
    """What must be left of the line's margin."""
    if floor is None:
        return Sql("0::numeric")
    if floor.percent is not None:
        return sql("coalesce(line.net, line.gross) * {percent}::numeric / 100", percent=floor.percent)
    return sql("line.quantity * {amount}::numeric", amount=floor.amount)
