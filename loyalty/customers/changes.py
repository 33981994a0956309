"""Telling the segments that something about customers changed: a pull queue with one row per customer and statement."""

from collections.abc import Sequence

from loyalty.kit.sql import Sql, execute, sql


def mark_changed_sql(select_ids: Sql) -> Sql:
    """The INSERT that queues the customers whose ids `select_ids` returns; usable by itself or as a CTE."""
    return sql("INSERT INTO customer_change (customer_id) {select_ids}", select_ids=select_ids)


def mark_changed(customer_ids: Sequence[int]) -> int:
    """Queue these customers; the number of rows written."""
    if not customer_ids:
        return 0
    return execute(mark_changed_sql(sql("SELECT unnest({ids}::bigint[])", ids=list(customer_ids))))
