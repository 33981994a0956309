"""What is the member's own: messages and consents, the profile, the data and what they are for, leaving."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from loyalty.access.addresses import client_address
from loyalty.consent import choices, topics
from loyalty.consent import queries as consents
from loyalty.consent.words import channel_name
from loyalty.kit.problems import Problems
from loyalty.portal import operations, queries, sessions, wording
from loyalty.portal.answers import back, guarded, page
from loyalty.portal.entrance_pages import offers_text
from loyalty.portal.texts import localized, moment
from loyalty.portal.visit import Visitor, agent_of, signed_in
from loyalty.program import queries as program
from loyalty.program import step_up
from loyalty.rights import queries as rights
from loyalty.rights.archive import archive

# The channel whose address a sign-in proves; on others a consent can be ended here, not given.
PROVEN = "email"
EMPTY = choices.Choices()


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def messages(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What may be sent and measured: as easily ended as given, with everything that was declared."""
    decided = consents.states([visitor.customer_id]).get(visitor.customer_id, {})
    offered = [topic for topic in topics.offered() if not topic.channels or PROVEN in topic.channels]
    keys = _keys(visitor, decided)
    if request.method == "POST":
        nothing = "nothing" in request.POST
        held = choices.current(visitor.customer_id)
        known = {topic.key for topic in offered} & set(request.POST.getlist("shown"))
        chosen = choices.Choices(
            {key: f"topic.{key}" in request.POST for key in known}, held.paused_until, held.frequency
        )
        changed = operations.save_consents(
            customer_id=visitor.customer_id,
            wanted={key: not nothing and ".".join(key) in request.POST for key in keys},
            text={key: label for key, (label, _hint) in keys.items()},
            evidence={
                "ip": client_address(request),
                "user_agent": agent_of(request),
                "session": visitor.signed.session_id,
            },
            chosen=None if nothing else chosen,
            text_version=visitor.look.document.terms_version,
            now=visitor.now,
        )
        said = _("Saved. It takes effect at once.") if changed else _("Nothing has changed.")
        return back(request, "member-messages", said)
    held = choices.current(visitor.customer_id)
    context = {
        "rows": [(".".join(key), label, hint, decided.get(key) == "granted") for key, (label, hint) in keys.items()],
        "topics": [
            (
                topic.key,
                localized(topic.name, topic.key),
                localized(topic.description, ""),
                held.topics.get(topic.key, True),
            )
            for topic in offered
        ],
        "history": [_declared(entry) for entry in consents.history(visitor.customer_id)[:30]],
    }
    return page(request, "messages.html", context, visitor=visitor, at="more")


def _keys(visitor: Visitor, decided: dict[tuple[str, str], str]) -> dict[tuple[str, str], tuple[str, str]]:
    """The consents that can be chosen here: (channel, purpose) -> label and explanation."""
    rows = {(PROVEN, "marketing"): (_("Offers and news by email"), offers_text(visitor.look))}
    for channel, purpose in sorted(decided):
        if purpose == "marketing" and channel != PROVEN and decided[channel, purpose] == "granted":
            name = channel_name(channel)
            rows[channel, purpose] = (_("Offers and news: %(channel)s") % {"channel": name}, "")
    rows[PROVEN, "tracking"] = (
        _("Measure what I open and click"),
        _("So that we send less of what does not interest you. Everything works without it."),
    )
    rows[PROVEN, "profiling"] = (
        _("Offers that fit what I bought"),
        _("Without it you get the same offers as everybody."),
    )
    return rows


def _declared(entry: dict[str, Any]) -> tuple[str, str]:
    words = {
        ("marketing", "granted"): _("Offers and news allowed"),
        ("marketing", "withdrawn"): _("Offers and news ended"),
        ("tracking", "granted"): _("Measuring allowed"),
        ("tracking", "withdrawn"): _("Measuring ended"),
        ("profiling", "granted"): _("Fitting offers allowed"),
        ("profiling", "withdrawn"): _("Fitting offers ended"),
        ("service", "granted"): _("Service messages allowed"),
        ("service", "withdrawn"): _("Service messages ended"),
    }
    said = words[entry["purpose"], entry["status"]]
    return moment(entry["occurred_at"]), f"{said} · {channel_name(entry['channel'])}"


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def profile(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What we call the person, to be put right by themselves."""
    person = visitor.person
    given = {name: str(getattr(person, name) or "") for name in operations.OWN_FIELDS}
    wrong: dict[str, str] = {}
    if request.method == "POST":
        given = {name: request.POST.get(name, "").strip()[:300] for name in operations.OWN_FIELDS}
        try:
            operations.correct(customer_id=visitor.customer_id, row=given, now=visitor.now)
            return back(request, "member-profile", _("Saved."))
        except Problems as problems:
            wrong = {problem.where: _fault(problem.where) for problem in problems.problems}
    labels = {
        "first_name": (_("First name"), "given-name", "text"),
        "last_name": (_("Last name"), "family-name", "text"),
        "birth_date": (_("Birthday"), "bday", "date"),
        "phone": (_("Phone"), "tel", "tel"),
        "postcode": (_("Postcode"), "postal-code", "text"),
        "city": (_("Town"), "address-level2", "text"),
    }
    rows = [(name, *labels[name], given[name], wrong.get(name, "")) for name in operations.OWN_FIELDS]
    context = {"rows": rows, "wrong": wrong, "labels": labels}
    return page(request, "profile.html", context, visitor=visitor, at="more", status=422 if wrong else 200)


def _fault(field: str) -> str:
    return {
        "phone": _("Please write the number with the country code, such as +49 170 1234567."),
        "birth_date": _("Please write a date that has been."),
    }.get(field, _("This cannot be saved; please write it differently."))


@require_safe
@signed_in
def data(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Which data, what for, the member's benefit, until when; to take along, to correct, to have erased."""
    context = {
        "held": queries.held(visitor.customer_id),
        "sessions": sessions.count(visitor.customer_id, now=visitor.now),
        "asked": [one["kind"] for one in queries.open_requests(visitor.customer_id)],
    }
    return page(request, "data.html", context, visitor=visitor, at="more")


@require_POST
@signed_in
def download(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Everything that is kept about the person, as a ZIP of PDF, JSON and tables."""
    content = archive(rights.access(visitor.customer_id, now=visitor.now))
    response = HttpResponse(content, content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{_("my-data")}.zip"'
    return guarded(response, get_language() or "en")


@require_POST
@signed_in
def erase(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Ask for everything to be erased; people of ours carry it out within a month."""
    fresh = operations.ask_erasure(customer_id=visitor.customer_id, now=visitor.now)
    said = (
        _("We have your request. Your data are erased within a month; we tell you by email.")
        if fresh
        else _("We have your request already.")
    )
    return back(request, "member-data", said)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def pin(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Set the PIN that protects the points, or change it with the one before."""
    setup, member = visitor.setup, visitor.member
    if setup is None or member is None or setup.document.pin is None:
        return back(request, "member-home")
    wrong: dict[str, str] = {}
    if request.method == "POST":
        try:
            step_up.set_pin(
                member_id=member.pk, pin=request.POST.get("pin", "")[:20],
                current=request.POST.get("current", "")[:20] or None, setup=setup, now=visitor.now,
            )  # fmt: skip
            return back(request, "member-more", _("Your PIN is set."))
        except step_up.PinRefused as refused:
            wrong = {"current": step_up.sentence(refused)}
        except Problems as problems:
            easy = "easy" in problems.problems[0].problem
            wrong = {
                "pin": _("This PIN is too easy to guess: no rows of digits, not one digit only.")
                if easy
                else _("A PIN has 4 to 8 digits.")
            }
    context = {"state": step_up.state(member.pk, setup=setup), "wrong": wrong, "rules": setup.document.pin}
    return page(request, "pin.html", context, visitor=visitor, at="more", status=422 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def leave(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Say what happens to the points (GET), and end the membership (POST): two clicks from everywhere."""
    if visitor.setup is None or visitor.member is None or visitor.member.state == "left":
        return back(request, "member-home")
    if request.method == "POST":
        operations.leave(
            customer_id=visitor.customer_id,
            setup=visitor.setup,
            silence="silence" in request.POST,
            erase="erase" in request.POST,
            now=visitor.now,
        )
        return back(request, "member-home", _("You have left %(club)s.") % {"club": visitor.look.name})
    wallets = program.balances(visitor.member.pk, setup=visitor.setup, now=visitor.now)
    paying = next((one for one in visitor.setup.document.wallets if one.spendable), visitor.setup.document.wallets[0])
    main = next((one for one in wallets if one["wallet"] == paying.key), None)
    context = {
        "main": main,
        "unit": wording.unit(visitor.setup, paying.key),
        "expiries": queries.expiries(visitor.member.pk, wallet_id=visitor.setup.wallet_ids[paying.key], limit=12),
        "back": reverse("member-home"),
    }
    return page(request, "leave.html", context, visitor=visitor, at="more")


@require_safe
@signed_in
def more(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Everything that is no section: the account, and what is written for all."""
    return page(
        request,
        "more.html",
        {"sessions": sessions.count(visitor.customer_id, now=visitor.now)},
        visitor=visitor,
        at="more",
    )
