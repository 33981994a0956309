"""The pages of a member: the first page, points, the sections, messages, data, leaving, and what is written for all."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from loyalty.kit.problems import Problems
from loyalty.portal import colors, operations, queries, wording
from loyalty.portal.answers import back, page, program_of
from loyalty.portal.entrance_pages import front
from loyalty.portal.look import look
from loyalty.portal.section import Receiver, Refused, Section, sections, shown
from loyalty.portal.texts import localized
from loyalty.portal.visit import Visitor, signed_in, visitor_of
from loyalty.program import queries as program

LATEST = 4


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The member's first page, or what the program is."""
    if visitor_of(request) is None:
        return front(request)
    return _home(request)


@signed_in
def _home(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    if visitor.setup is None:
        return page(request, "outside.html", {}, visitor=visitor, at="home")
    if visitor.member is None:
        return page(request, "outside.html", {"rules": wording.rules(visitor.setup)}, visitor=visitor, at="home")
    tiles = [
        (key, section.title(), section.icon, tile)
        for key, section in shown(visitor)
        if (tile := section.tile(visitor)) is not None
    ]
    progress = program.tier_progress(visitor.member, setup=visitor.setup, now=visitor.now)
    latest, _more = queries.movements(visitor.member.pk, limit=LATEST)
    return page(
        request,
        "home.html",
        {
            **_balances(visitor),
            "climb": wording.climb(progress, visitor.setup) if visitor.active else None,
            "tiles": tiles,
            "lines": [wording.line(one, visitor.setup) for one in latest[:LATEST]],
            "card": next(iter(queries.cards(visitor.customer_id)), ""),
            "state": visitor.member.state,
            "ending": _ending(visitor),
        },
        visitor=visitor,
        at="home",
    )


def _ending(visitor: Visitor) -> dict[str, Any] | None:
    """The last days of earning and spending, where the program ends."""
    setup = visitor.setup
    if setup is None or setup.earns_until is None:
        return None
    written = {name: date_format(day, "DATE_FORMAT") if day else "" for name, day in
               (("earns", setup.earns_until), ("spends", setup.spends_until))}  # fmt: skip
    return {**written, "over": setup.earning_over(visitor.now)}


def _balances(visitor: Visitor) -> dict[str, Any]:
    """The wallet that members pay with, and the others."""
    setup, member = visitor.setup, visitor.member
    if setup is None or member is None:
        return {}
    found = {one["wallet"]: one for one in program.balances(member.pk, setup=setup, now=visitor.now)}
    paying = next((one for one in setup.document.wallets if one.spendable), setup.document.wallets[0])
    main = found.get(paying.key)
    others = [(wording.unit(setup, key), one) for key, one in found.items() if key != paying.key]
    return {
        "main": main,
        "unit": wording.unit(setup, paying.key),
        "worth": wording.worth(main["available"], paying.key, setup) if main else "",
        "others": others,
        "expiries": queries.expiries(member.pk, wallet_id=setup.wallet_ids[paying.key]),
        "release": queries.releases(member.pk, wallet_id=setup.wallet_ids[paying.key]) if main else None,
    }


@require_safe
@signed_in
def points(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """What the member has, when it expires, and every movement."""
    if visitor.member is None or visitor.setup is None:
        return back(request, "member-home")
    try:
        before = int(request.GET.get("before", "")[:18]) if "before" in request.GET else None
    except ValueError:
        raise Http404("No such page.") from None
    found, following = queries.movements(visitor.member.pk, before=before)
    progress = program.tier_progress(visitor.member, setup=visitor.setup, now=visitor.now)
    return page(
        request,
        "points.html",
        {
            **_balances(visitor),
            "lines": [wording.line(one, visitor.setup) for one in found],
            "following": following,
            "first": before is None,
            "climb": wording.climb(progress, visitor.setup) if visitor.active else None,
        },
        visitor=visitor,
        at="points",
    )


def _section(key: str, visitor: Visitor) -> Section:
    found = sections.get(key) if key in sections else None
    if found is None or visitor.member is None or not found.available(visitor):
        raise Http404("There is no such page.")
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def section(request: HttpRequest, visitor: Visitor, key: str) -> HttpResponse:
    """One feature: its page, or what one of its buttons does."""
    found = _section(key, visitor)
    if request.method == "POST":
        said, wrong = _acted(found, visitor, request)
        return back(request, "member-section", said, wrong=wrong, key=key)
    context = found.page(visitor, request.GET.dict())
    return page(request, f"{key}.html", {"title": found.title(), **context}, visitor=visitor, at=key)


def _acted(found: Section, visitor: Visitor, request: HttpRequest) -> tuple[str, bool]:
    allowed = ("active", "left") if found.after_leaving else ("active",)
    if visitor.member is None or visitor.member.state not in allowed:
        return _("Your membership rests, so this cannot be done now."), True
    data = request.POST.dict()
    try:
        if request.FILES and isinstance(found, Receiver):
            return found.upload(visitor, data, request.FILES.dict()), False
        return found.act(visitor, data), False
    except Refused as refused:
        return str(refused), True
    except Problems:
        # What the packages say is for those who call them; members get a sentence they can use.
        return _("That did not work; nothing was changed. Please look again and try once more."), True


@require_POST
@signed_in
def join_now(request: HttpRequest, visitor: Visitor) -> HttpResponse:
    """Join, or come back, for who is signed in already: the address is proven by that."""
    program_of(visitor.look)
    if visitor.setup is None or not operations.join(
        customer_id=visitor.customer_id, setup=visitor.setup, now=visitor.now
    ):
        return back(request, "member-home")
    return back(request, "member-home", _("Welcome to %(club)s!") % {"club": visitor.look.name})


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """How points are earned, what tiers there are, when points expire; made from the program itself."""
    shown_as = look()
    visitor = visitor_of(request)
    setup = shown_as.setup
    program_of(shown_as)
    tiers = [
        (
            localized(tier.name, tier.key),
            tier.threshold,
            [localized(one, "") for one in tier.definition.get("benefits", [])],
        )
        for tier in (setup.tiers if setup else ())
    ]
    context = {
        "rules": wording.rules(setup) if setup else [],
        "tiers": tiers,
        "measured_by": setup.document.tiers.by if setup else "",
        "currency": setup.document.currency if setup else "",
        "lifetimes": wording.lifetimes(setup) if setup else [],
    }
    return page(request, "rules.html", context, visitor=visitor, at="more")


@require_safe
def accessibility(request: HttpRequest) -> HttpResponse:
    """What the portal does for everybody to use it, and whom to tell where it fails."""
    return page(request, "accessibility.html", {}, visitor=visitor_of(request), at="more")


@require_safe
def theme(request: HttpRequest) -> HttpResponse:
    """The colors as a style sheet: a page may carry no style of its own."""
    with translation.override("en"):
        accent = look().document.accent
    found = colors.shades(accent)
    text = (
        f":root{{--accent:{found.light};--on-accent:{found.on_light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent:{found.dark};--on-accent:{found.on_dark}}}}}\n"
    )
    response = HttpResponse(text, content_type="text/css; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    return response
