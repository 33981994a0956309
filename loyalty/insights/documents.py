"""The kind `insight` for apply and export: which event is a purchase, and how it is counted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from loyalty.insights.catalog import parameters_of
from loyalty.insights.models import FeatureState
from loyalty.insights.operations import set_parameters
from loyalty.kit.documents import Change, kinds


class InsightKind:
    """The parameters of a feature; the feature itself is code, so its key must exist."""

    rank = 25

    def apply(self, document: dict[str, Any], *, now: datetime, declared: dict[str, set[str]]) -> Change:
        """Set the parameters; raises Problems."""
        parameters = {name: value for name, value in document.items() if name not in ("kind", "key")}
        done = set_parameters(feature=document["key"], parameters=parameters, now=now)
        before = _document(document["key"], done.before) if done.before else None
        return Change("insight", document["key"], done.verdict, before, _document(document["key"], done.after))

    def export(self) -> Iterable[dict[str, Any]]:
        """Features whose parameters somebody set, or that were computed."""
        for state in FeatureState.objects.order_by("key"):
            yield _document(state.key, parameters_of(state.key, state.parameters).model_dump(mode="json"))


def _document(key: str, parameters: dict[str, Any]) -> dict[str, Any]:
    said = {name: value for name, value in parameters.items() if value is not None}
    return {"kind": "insight", "key": key, **said}


kinds.add("insight", InsightKind())
