"""Pure: the SQL that gives each touch its part of each conversion, for all methods in one pass.

A touch is a fact named by the goal, of the same person, in `(conversion - window, conversion]`; facts exist only for
what people did. Touches at one instant are ordered by message and type, so that the order of arrival changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from campaigns.attribution.goals import Aim
from campaigns.attribution.method import methods
from campaigns.attribution.shares import SHARE_UNITS, VALUE_UNITS
from campaigns.channels.names import BY_NUMBER
from loyalty.kit.sql import Sql, identifier, sql

CHANNEL_NAMES = [BY_NUMBER[number] for number in sorted(BY_NUMBER)]
NONE = "none"


def credit_rows(
    aim: Aim, conversions: Sql, models: Sequence[str], *, window: timedelta, first: datetime | None, last: datetime
) -> Sql:
    """The credit of `conversions` (a query of id, customer_id, occurred_at, value): the columns of the table `credit`.

    `first` and `last` bound the conversions' times (None: no bound), so that only the months that matter are read.
    A conversion without a touch gets one row on channel 'none'.
    """
    return sql(
        """SELECT p.conversion_id, part.model, p.position, p.message_id, m.dispatch_id,
            CASE WHEN p.message_id IS NULL THEN {none}
                ELSE coalesce(d.channel, ({names}::text[])[p.message_id & 7], 'unknown') END,
            p.touched_at, part.share * 1e-10, part.value * 1e-6
        FROM ({parts}) p CROSS JOIN LATERAL (VALUES {models}) AS part (model, share, value)
        LEFT JOIN message m ON m.id = p.message_id LEFT JOIN dispatch d ON d.id = m.dispatch_id
        WHERE part.share > 0""",
        none=NONE,
        names=CHANNEL_NAMES,
        parts=_parts(_weighted(_touches(aim, conversions, window, first, last), models), models),
        models=sql(", ").join(
            sql(
                "({model}, p.{share}::numeric, p.{value}::numeric)",
                model=model,
                share=identifier(f"share_{model}"),
                value=identifier(f"value_{model}"),
            )
            for model in models
        ),
    )


def weight_sql(model: str) -> Sql:
    """What a touch weighs by this method, with its parameters as they are preset."""
    method = methods.get(model)
    return method.weight_sql(method.parameters())


def _touches(aim: Aim, conversions: Sql, window: timedelta, first: datetime | None, last: datetime) -> Sql:
    bound = sql("t.occurred_at <= {last}", last=last)
    if first is not None:
        bound = sql("{bound} AND t.occurred_at > {first}", bound=bound, first=first - window)
    return sql(
        """SELECT c.id AS conversion_id, (c.value * {units})::bigint AS units, t.ref AS message_id,
            t.occurred_at AS touched_at,
            coalesce(extract(epoch FROM c.occurred_at - t.occurred_at), 0)::float8 AS seconds_before,
            row_number() OVER (PARTITION BY c.id ORDER BY t.occurred_at, t.ref, t.type_id, t.id) AS position,
            count(*) OVER (PARTITION BY c.id) AS touches
        FROM ({conversions}) c LEFT JOIN event t
            ON t.customer_id = c.customer_id AND t.type_id = ANY({types}::int[]) AND t.ref IS NOT NULL
            AND t.occurred_at > c.occurred_at - {window} AND t.occurred_at <= c.occurred_at
            AND {bound}""",
        units=VALUE_UNITS,
        conversions=conversions,
        types=list(aim.touch_type_ids),
        window=window,
        bound=bound,
    )


def _weighted(touches: Sql, models: Sequence[str]) -> Sql:
    """Each touch with the whole-number share of each model, cut down (`shares.shares`)."""
    weights = sql(", ").join(
        sql("{weight} AS {name}", weight=weight_sql(model), name=identifier(f"weight_{model}")) for model in models
    )
    shares = sql(", ").join(
        sql(
            "floor({units}::float8 * (w.{weight} / sum(w.{weight}) OVER journey))::bigint AS {name}",
            units=SHARE_UNITS,
            weight=identifier(f"weight_{model}"),
            name=identifier(f"cut_{model}"),
        )
        for model in models
    )
    return sql(
        """SELECT w.*, {shares} FROM (SELECT t.*, {weights} FROM ({touches}) t) w
        WINDOW journey AS (PARTITION BY w.conversion_id)""",
        shares=shares,
        weights=weights,
        touches=touches,
    )


def _parts(weighted: Sql, models: Sequence[str]) -> Sql:
    """Each touch's final share and value: the last touch of a journey takes what the others leave."""
    columns = sql(", ").join(
        sql(
            """{share_rest} AS {share}, {value_rest} AS {value}""",
            share_rest=_rest(sql("{all}::bigint", all=SHARE_UNITS), sql("s.{cut}", cut=identifier(f"cut_{model}"))),
            value_rest=_rest(
                sql("s.units"),
                sql(
                    "trunc(s.units * (s.{cut}::float8 / {all}))::bigint",
                    cut=identifier(f"cut_{model}"),
                    all=float(SHARE_UNITS),
                ),
            ),
            share=identifier(f"share_{model}"),
            value=identifier(f"value_{model}"),
        )
        for model in models
    )
    return sql(
        """SELECT s.conversion_id, s.position, s.message_id, s.touched_at, {columns} FROM ({weighted}) s
        WINDOW earlier AS (
            PARTITION BY s.conversion_id ORDER BY s.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)""",
        columns=columns,
        weighted=weighted,
    )


def _rest(whole: Sql, part: Sql) -> Sql:
    return sql(
        "CASE WHEN s.position = s.touches THEN {whole} - coalesce(sum({part}) OVER earlier, 0)::bigint ELSE {part} END",
        whole=whole,
        part=part,
    )
