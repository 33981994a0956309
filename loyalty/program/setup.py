"""A program as the operations need it: its document, its wallets and their ids, its rules, its tiers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from django.conf import settings

from loyalty.kit.problems import Problem, Problems
from loyalty.program import names
from loyalty.program.definition import Expiry, ProgramDocument, WalletSettings
from loyalty.program.earning_part import EarningPart
from loyalty.program.models import EarningRule, Program, Tier, Wallet
from loyalty.program.rule_definition import RuleDocument
from loyalty.program.rules import Rule, in_order, read


@dataclass(frozen=True, slots=True)
class Setup:
    """`wallet_ids` by key in the document's order; `rules` are the active ones, in order, none beyond the last day to
    earn of a program that ends.
    """

    id: int
    document: ProgramDocument
    wallet_ids: dict[str, int]
    rules: tuple[Rule, ...] = ()
    tiers: tuple[Tier, ...] = field(default=())
    earns_until: date | None = None
    spends_until: date | None = None

    @property
    def key(self) -> str:
        return self.document.key

    @property
    def zone(self) -> str:
        """The time zone of the program's days and years."""
        return self.document.timezone or settings.TIME_ZONE

    def earning_over(self, at: datetime) -> bool:
        """Whether nothing is earned any more by what happens at that instant."""
        return self.earns_until is not None and at.astimezone(ZoneInfo(self.zone)).date() > self.earns_until

    def wallet(self, key: str | None, where: str = "wallet") -> tuple[int, WalletSettings]:
        """(id, settings) of a wallet, the first for None; raises Problems."""
        found = self.document.wallet(key)
        if found is None:
            known = ", ".join(self.wallet_ids)
            raise Problems([Problem(where, f"there is no wallet {key!r} in {self.key}", f"known: {known}")])
        return self.wallet_ids[found.key], found

    def settings_of(self, wallet_id: int) -> WalletSettings:
        """The settings of the wallet with that id."""
        key = next(key for key, one in self.wallet_ids.items() if one == wallet_id)
        return next(one for one in self.document.wallets if one.key == key)

    def rules_for(self, kind: str) -> list[Rule]:
        """The rules that look at bookings of that kind."""
        return [rule for rule in self.rules if kind in rule.part.kinds]

    def events(self) -> set[str]:
        """Names of the events that this program wants to be told of."""
        wanted = {name for rule in self.rules for name in rule.part.events(rule.parameters)}
        if self.document.purchase_event and self.rules_for(names.PURCHASE):
            wanted.add(self.document.purchase_event)
        return wanted | self.awaited()

    def awaited(self) -> set[str]:
        """Names of the events that points wait for."""
        waits = {one.pending.event for one in self.document.wallets if one.pending.event}
        return waits | {rule.awaits for rule in self.rules if rule.awaits}


def load(key: str | None = None, where: str = "program") -> Setup:
    """The program with that key, the only one for None; raises Problems."""
    found = list(Program.objects.order_by("id"))
    chosen = [one for one in found if key in (None, one.key)]
    if len(chosen) == 1:
        return load_all(chosen)[0]
    if not found:
        raise Problems([Problem(where, "there is no loyalty program", "apply a document of kind program first")])
    known = [one.key for one in found]
    if key is None:
        raise Problems([Problem(where, "there are several programs", f"name one of: {', '.join(known)}")])
    near = get_close_matches(key, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    raise Problems([Problem(where, f"there is no program {key!r}", remedy)])


def load_all(programs: Sequence[Program] | None = None) -> list[Setup]:
    """All programs, or these."""
    programs = list(Program.objects.order_by("id")) if programs is None else programs
    ids = [program.id for program in programs]
    wallets: dict[int, dict[str, int]] = {}
    for program_id, key, wallet_id in Wallet.objects.filter(program_id__in=ids).values_list("program_id", "key", "id"):
        wallets.setdefault(program_id, {})[key] = wallet_id
    tiers = list(Tier.objects.filter(program_id__in=ids).order_by("rank"))
    rules = list(EarningRule.objects.filter(program_id__in=ids, state="active"))
    found = []
    for program in programs:
        document = ProgramDocument.model_validate(program.definition)
        mine = wallets.get(program.id, {})
        setup = Setup(
            program.id,
            document,
            {one.key: mine[one.key] for one in document.wallets},
            tiers=tuple(tier for tier in tiers if tier.program_id == program.id),
            earns_until=program.earns_until,
            spends_until=program.spends_until,
        )
        ready = [rule_of(rule, setup) for rule in rules if rule.program_id == program.id]
        found.append(replace(setup, rules=tuple(in_order(ready))))
    return found


def rule_of(stored: EarningRule, setup: Setup) -> Rule:
    """A stored rule with what its wallet leaves to it: waiting time and expiry."""
    document, part, parameters = read(stored.definition)
    return prepared(stored.id, stored.wallet_id, document, part, parameters, setup)


def prepared(
    rule_id: int, wallet_id: int, document: RuleDocument, part: EarningPart, parameters: object, setup: Setup
) -> Rule:
    """The rule with its wallet's waiting time and expiry where it has none of its own."""
    wallet = setup.settings_of(wallet_id)
    given = wallet.expiry if document.expiry is None else document.expiry
    pending = document.pending or wallet.pending
    expiry = given if isinstance(given, Expiry) else None
    if last := setup.earns_until:
        ends = document.when.model_copy(update={"end": min(last, document.when.end or last)})
        document = document.model_copy(update={"when": ends})
    return Rule(
        rule_id, wallet_id, document, part, parameters, pending.seconds, expiry,
        awaits=pending.event, lapses=pending.lapses, worth=wallet.value, protected=setup.document.protect_margin,
    )  # fmt: skip
