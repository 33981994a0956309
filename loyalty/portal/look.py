"""The portal as its pages need it: its document and its program, with texts in the language of the reader."""

from dataclasses import dataclass
from functools import cached_property

from loyalty.kit.problems import Problems
from loyalty.portal.definition import PortalDocument
from loyalty.portal.models import Portal
from loyalty.portal.texts import localized
from loyalty.program.setup import Setup, load, load_all
from loyalty.subscriptions.models import Plan


@dataclass(frozen=True)
class Look:
    """`setup` is the program; None where there is none yet."""

    document: PortalDocument
    setup: Setup | None

    @cached_property
    def name(self) -> str:
        """What the portal is called."""
        program = self.setup.document if self.setup else None
        return localized(self.document.name, "") or (localized(program.name, program.key) if program else "")

    @cached_property
    def claim(self) -> str:
        return localized(self.document.claim, "")

    @cached_property
    def benefits(self) -> list[str]:
        return [localized(one, "") for one in self.document.benefits]

    @cached_property
    def sells_membership(self) -> bool:
        """Whether there is, or was, a paid membership: then every page leads to where contracts are ended."""
        return Plan.objects.exists()

    @cached_property
    def points(self) -> str:
        """What the points are called with which members pay."""
        wallet = self.setup.document.wallets[0] if self.setup else None
        return localized(wallet.name, "") if wallet else ""


def look() -> Look:
    """The portal that was applied first, else the usual one for the first program."""
    stored = Portal.objects.order_by("id").first()
    document = PortalDocument.model_validate(
        {name: value for name, value in stored.definition.items() if name != "kind"} if stored else {"key": "portal"}
    )
    try:
        return Look(document, load(document.program))
    except Problems:
        # Several programs, and nobody said which; or the one that was named is gone.
        return Look(document, next(iter(load_all()), None))
