"""Pure: what the document `supplier` says."""

from typing import Annotated, Literal

from pydantic import Field

from loyalty.program.definition import KEY, Strict

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]


class Webhook(Strict):
    """Where orders are pushed. `secret_env` names the variable of the environment that has the secret for signatures,
    in both directions; while it is changed, reports signed with `old_secret_env`'s are believed, too.

    `from` is the state from which an order is sent: as soon as it is `ordered`, or once somebody has `approved` it.
    """

    url: Annotated[str, Field(min_length=1, max_length=2000)]
    secret_env: Variable
    old_secret_env: Variable | None = None
    since: Annotated[Literal["ordered", "approved"], Field(alias="from")] = "ordered"


class SupplierDocument(Strict):
    """Who sends rewards out. Without a `webhook` their orders are fetched as CSV; rewards name it as `supplier`."""

    kind: Literal["supplier"] = "supplier"
    key: Annotated[str, Field(pattern=KEY.pattern, max_length=50)]
    name: Annotated[str, Field(max_length=200)] = ""
    state: Literal["active", "paused"] = "active"
    webhook: Webhook | None = None
