"""`manage.py demo [--once]`: from nothing to a credited win-back campaign, in one terminal."""

import sys
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from campaigns.attribution.report import Report
from loyalty.local.site import Address, Site


class Command(BaseCommand):
    help = (
        "Start everything, import the CDNOW purchase log, open a loyalty program, run a win-back flow with simulated "
        "readers, and report. "
        "Stays up; with --once it ends by itself, exit status 0 when every total reconciles and verify finds nothing."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="end with the report instead of staying up")
        parser.add_argument("--port", type=int, help="port of the web server (default: 8000, or a free one)")
        parser.add_argument("--workers", type=int, default=2, help="processes of each Celery worker")

    def handle(self, *args: Any, **options: Any) -> None:
        script = partial(tell, stays=not options["once"])
        sys.exit(Site(script=script, once=options["once"], processes_each=options["workers"]).run())


def say(text: str) -> None:
    """One line; the site puts the name of this process before it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(address: Address, *, stays: bool) -> int:
    """Play the story and tell the result; the exit status."""
    from django.core.management import CommandError, call_command

    from campaigns.gallery.scenario import Scenario

    scenario = Scenario(site=address.url, say=say)
    try:
        figures = scenario.play()
    except (TimeoutError, RuntimeError, CommandError) as error:
        say(f"the demo could not go on: {error}")
        return 1
    for line in summary(figures):
        say(line)
    try:
        call_command("verify", sink=scenario.mailbox.directory / "log.jsonl")
        broken = False
    except CommandError as error:
        say(str(error))
        broken = True
    whole = figures["credit"]["last_touch"].reconciliation
    right = not (
        broken
        or figures["difference"]
        or whole.conversions_difference
        or whole.revenue_difference
        or figures["club"]["uncounted"]
    )
    say("everything reconciles" if right else "something does not reconcile, see above")
    if stays:
        for line in where_to_look(address):
            say(line)
    return 0 if right else 1


def summary(figures: dict[str, Any]) -> list[str]:
    """The figures as lines."""
    flow, messages = figures["flow"], figures["flow"]["messages"]
    lines = [
        "",
        f"Flow {flow['flow']}: {flow['entered']:,} entered ({flow['held_out']:,} held out), {flow['finished']:,}"
        f" finished,"
        f" {flow['exited']:,} left by buying, {flow['active']:,} inside",
        f"Messages: {messages['planned']:,} planned = {messages['sent']:,} sent + {messages['skipped']:,} skipped"
        f" + {messages['failed']:,} failed + {messages['pending']:,} pending + {messages['in_doubt']:,} in doubt",
        f"Mail sink: {figures['sink']:,} accepted, difference to sent: {figures['difference']}",
        f"Orders placed by readers: {figures['orders']:,}, {figures['revenue']:,.2f} USD",
    ]
    lines += club_lines(figures["club"])
    lines += doing_lines(figures["doings"], figures["club"]["currency"])
    for model, report in figures["credit"].items():
        lines += ["", f"Credit by {model.replace('_', ' ')}:"] + credit_lines(report)
    return [*lines, ""]


def club_lines(club: dict[str, Any]) -> list[str]:
    """The loyalty program as lines."""
    money = club["currency"]
    return [
        f"Members: {club['members']:,}; purchases of the last year not counted exactly once: {club['uncounted']:,}",
        f"Points: {club['issued']:,} issued, {club['spent']:,} spent on {club['redemptions']:,} rewards,"
        f" {club['expired']:,} expired, {club['outstanding']:,} outstanding, worth {club['worth']:,.2f} {money};"
        f" liability in the books {club['liability']:,.2f} {money}",
        f"Parcels of rewards: {club['parcels']:,}, {club['shipped']:,} of them reported as sent by the supplier",
        f"Rose to a better tier since: {club['congratulated']:,} members; figures of data quality: {club['quality']:,}",
    ]


def doing_lines(done: dict[str, Any], money: str) -> list[str]:
    """What members did besides buying, as lines."""
    lines = [
        f"Paid memberships: {listed(done['contracts'])}; fees: {listed(done['fees'])}",
        f"Games: {done['plays']:,} plays, {done['wins']:,} won",
        f"Personal offer: {done['offered']:,} got one, {done['held_out']:,} held out to measure it"
        + (f"; target {done['target']:,.2f} {money} on average" if done["offered"] else ""),
    ]
    lines += [f"At the till: {tip.sentence}" for tip in done["tips"]]
    if budget := done["budget"]:
        lasts = f", used up on {budget.empty_on}" if budget.empty_on else ""
        lines.append(f"Budget of {budget.rule}: {budget.used:,} of {budget.limit:,} points{lasts}")
    return lines


def listed(counts: dict[str, int]) -> str:
    """`34 active, 2 ended`."""
    return ", ".join(f"{n:,} {name}" for name, n in counts.items()) or "none"


def credit_lines(report: Report) -> list[str]:
    """One line per message and the reconciliation."""
    lines = []
    for (flow, step, channel), total in report.messages.items():
        single = "no message clicked before" if channel == "none" else f"letters / {channel}"
        name = f"{flow} / {step} / {channel}" if flow else single
        lines.append(f"  {name:<40} {total.conversions:>10,.2f} conversions {total.revenue:>12,.2f} USD")
    whole = report.reconciliation
    lines.append(
        f"  {'sum':<40} {report.total.conversions:>10,.2f} conversions {report.total.revenue:>12,.2f} USD;"
        f" goal events {whole.goal_events:,}, difference {whole.conversions_difference.normalize():f} /"
        f" {whole.revenue_difference.normalize():f}"
    )
    return lines


def where_to_look(address: Address) -> list[str]:
    """For people who want to see more."""
    from django.urls import reverse

    from campaigns.gallery.club import somebody

    pages = [
        ("mailbox", "admin:local_mailbox"),
        ("report", "admin:attribution_report"),
        ("program", "admin:program_program_changelist"),
        ("members", "admin:program_member_changelist"),
        ("rewards", "admin:rewards_board"),
        ("suppliers", "admin:rewards_supplier_changelist"),
        ("paid", "admin:subscriptions_subscription_changelist"),
        ("games", "admin:play_game_changelist"),
        ("offers", "admin:offers_offer_changelist"),
        ("rules", "admin:program_earningrule_changelist"),
        ("counter", "admin:checkout_counter"),
        ("books", "admin:finance_overview"),
        ("RFM", "admin:insights_rfm"),
        ("quality", "admin:customers_quality"),
    ]
    return [
        "",
        "Where to look:",
        f"  admin     {address.url}/admin/   login {address.login} / {address.password}",
        *(f"  {title:<9} {address.url}{reverse(name)}" for title, name in pages),
        f"  portal    {address.url}{reverse('member-sign-in')}   as {somebody()}; the code comes to the mailbox",
        f"  API       {address.url}/api/v1/docs",
        "Ctrl-C stops everything.",
    ]
