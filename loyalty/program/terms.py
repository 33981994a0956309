"""What sentences about rules call things: money in the program's currency, names instead of keys, in the reader's
language."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language

from loyalty.kit.documents import kinds
from loyalty.program.definition import ProgramDocument

# Of these the documents of other packages know the names.
_DOCUMENTS = {"store": "store", "event": "event_type", "challenge": "challenge", "stamp_card": "stamp_card"}


class Terms:
    """Names by kind and key: tiers, the program's own `words`, and with `ask` what other documents are called (a query
    for each kind that a sentence needs, so not where a till waits)."""

    def __init__(
        self,
        document: ProgramDocument | None,
        tiers: Mapping[str, Mapping[str, str]] | None = None,
        *,
        ask: bool = False,
    ) -> None:
        self.currency = document.currency if document else ""
        self._document = document
        self._ask = ask
        self._names: dict[str, Mapping[str, Any]] = {"tier": tiers or {}}

    def money(self, value: Any) -> str:
        """An amount with its currency, with cents where it has some."""
        exact = Decimal(str(value))
        whole = exact == exact.to_integral_value()
        said = number_format(exact.quantize(Decimal(1)) if whole else exact, None if whole else 2, force_grouping=True)
        return f"{said} {self.currency}".strip()

    def wallet(self, key: str | None) -> str:
        """The name of a wallet that is not the usual one, else nothing."""
        found = self._document.wallet(key) if self._document else None
        if self._document is None or found is None or found.key == self._document.wallets[0].key:
            return ""
        return chosen(found.name) or found.key

    def name(self, kind: str, key: str) -> str:
        """What it is called, the key itself if nobody said."""
        said = getattr(self._document.words, kind, {}).get(key) if self._document else None
        return chosen(said) or chosen(self._known(kind).get(key)) or key

    def names(self, kind: str, keys: list[str]) -> list[str]:
        return [self.name(kind, key) for key in keys]

    def _known(self, kind: str) -> Mapping[str, Any]:
        if kind not in self._names:
            source = _DOCUMENTS.get(kind)
            asked = self._ask and source is not None and source in kinds
            found = {one["key"]: one.get("name") for one in kinds.get(source).export()} if asked and source else {}
            self._names[kind] = found
        return self._names[kind]


def chosen(names: Any) -> str:
    """The name in the reader's language, else in any; nothing for none."""
    if not isinstance(names, Mapping) or not names:
        return ""
    language = (get_language() or "en").partition("-")[0]
    return str(names.get(language) or names.get("en") or next(iter(names.values())) or "")


# For what belongs to no program: numbers without a currency, keys as they are.
PLAIN = Terms(None)
