"""Pure: the row of a person's own wishes (break, frequency), which several guards judge by one join."""

from campaigns.delivery.guard import Scope
from loyalty.kit.sql import Sql, sql


def joined(scope: Scope) -> Sql:
    """At most one row by the primary key; the table holds only those who chose, and only marketing asks it."""
    return sql(
        "LEFT JOIN contact_preference wsh ON wsh.customer_id = {customer} AND {purpose} = 'marketing'",
        customer=scope.customer_id,
        purpose=scope.purpose,
    )
