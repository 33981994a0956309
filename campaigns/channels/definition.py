"""A sender as people write it."""

from email.utils import parseaddr
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from campaigns.channels.names import CHANNELS
from campaigns.channels.provider import full_key, providers
from loyalty.kit.problems import Problem, Problems, from_pydantic

KEY = r"^[a-z0-9][a-z0-9_-]{0,79}$"
_OWN = ("key", "channel", "provider", "settings", "limits", "state")
# A document carries names of environment variables, never what stands in them.
_SECRETS = ("password", "secret", "token", "api_key", "apikey", "auth")


class Limits(BaseModel):
    """What the provider or our reputation bears."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_second: float | None = Field(default=None, gt=0, le=100_000)


class SenderDocument(BaseModel):
    """`settings` is checked against the provider's own model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=KEY)
    channel: str = "email"
    provider: str
    settings: dict[str, Any] = Field(default_factory=dict)
    limits: Limits = Limits()
    state: Literal["active", "paused"] | None = None


def read(document: dict[str, Any]) -> SenderDocument:
    """The document, complete and checked; raises Problems with every mistake.

    The provider may be named without its channel (`smtp`); its settings may stand at the top level too, and `from:`
    may be `Name <address>`.
    """
    given = {name: value for name, value in document.items() if name != "kind"}
    own = {name: value for name, value in given.items() if name in _OWN}
    loose = {name: value for name, value in given.items() if name not in _OWN}
    inner = own.get("settings", {})
    settings = {**loose, **inner} if isinstance(inner, dict) else inner
    problems: list[Problem] = []
    if isinstance(settings, dict):
        settings = _from(settings)
        problems += _secrets(settings, set(loose))
    parsed: SenderDocument | None = None
    try:
        parsed = SenderDocument.model_validate({**own, "settings": settings})
    except ValidationError as error:
        problems += from_pydantic(error)
    if parsed is not None:
        problems += _check(parsed, set(loose))
    if problems or parsed is None:
        raise Problems(problems)
    key = full_key(parsed.channel, parsed.provider)
    complete = providers.get(key).settings.model_validate(parsed.settings)
    stored = complete.model_dump(mode="json", exclude_unset=True)
    return parsed.model_copy(update={"provider": key, "settings": stored})


def _from(settings: dict[str, Any]) -> dict[str, Any]:
    """`from: Name <address>` as the two settings it stands for."""
    written = settings.get("from")
    if not isinstance(written, str):
        return settings
    name, address = parseaddr(written)
    rest = {key: value for key, value in settings.items() if key != "from"}
    return {**({"from_name": name} if name else {}), "from_email": address or written, **rest}


def _secrets(settings: dict[str, Any], loose: set[str]) -> list[Problem]:
    return [
        Problem(
            name if name in loose else f"settings.{name}",
            "a secret does not belong into a document",
            f"put it into the environment and name the variable in {name}_env",
        )
        for name in settings
        if str(name).lower() in _SECRETS
    ]


def _check(parsed: SenderDocument, loose: set[str]) -> list[Problem]:
    problems = []
    if parsed.channel not in CHANNELS:
        problems.append(
            Problem("channel", f"unknown channel {parsed.channel!r}", f"one of {', '.join(sorted(CHANNELS))}")
        )
    key = full_key(parsed.channel, parsed.provider)
    if key not in providers:
        known = ", ".join(providers)
        return [*problems, Problem("provider", f"unknown provider {parsed.provider!r}", f"one of {known}")]
    provider = providers.get(key)
    if parsed.channel in CHANNELS and provider.channel != parsed.channel:
        problems.append(Problem("provider", f"{key!r} does not carry {parsed.channel}", "choose one of that channel"))
    try:
        provider.settings.model_validate(parsed.settings)
    except ValidationError as error:
        for problem in from_pydantic(error):
            top = problem.where.partition(".")[0].partition("[")[0]
            if top.lower() not in _SECRETS:
                problems.append(problem if top in loose else problem.within("settings"))
    return problems
