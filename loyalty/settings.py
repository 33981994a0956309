"""Settings: wiring only. Every value that differs between installations comes from the environment (docs/settings.md).

With `DATABASE_URL` and `REDIS_URL` unset, the embedded services of `loyalty.local` serve; whoever starts them puts
their addresses into the environment before Django reads this file.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext_lazy as _

from loyalty.local.state import development_secret, embedded_urls
from loyalty.sidebar import SIDEBAR as SIDEBAR

BASE_DIR = Path(__file__).resolve().parent.parent

_embedded = embedded_urls()
DATABASE_URL = os.environ.get("DATABASE_URL") or _embedded.get("DATABASE_URL", "postgresql://127.0.0.1:5432/loyalty")
REDIS_URL = os.environ.get("REDIS_URL") or _embedded.get("REDIS_URL", "redis://127.0.0.1:6379/0")


def _database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }


DEBUG = os.environ.get("DEBUG", "") == "1"
SECRET_KEY = os.environ.get("SECRET_KEY") or development_secret()
# Older secrets still verify links in mails that are already out there.
SECRET_KEY_FALLBACKS = [key for key in os.environ.get("SECRET_KEY_FALLBACKS", "").split(",") if key]
# Keys the hashes in the suppression list. Changing it forgets every suppression, so it is apart from SECRET_KEY in
# production.
ADDRESS_KEY = os.environ.get("ADDRESS_KEY") or SECRET_KEY
PUBLIC_URL = os.environ.get("PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = [
    host for host in os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver").split(",") if host
]
_public_host = urlsplit(PUBLIC_URL).hostname
if _public_host and _public_host not in ALLOWED_HOSTS:
    ALLOWED_HOSTS.append(_public_host)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
# For senders that name no address of their own; a real one should.
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL") or "no-reply@localhost.localdomain"

# Consent: how long the link of a double opt-in works, after how many days one reminder goes out (0: none), after how
# many months of silence a consent is told of and no longer used (0: never), which events are signs of life, and whether
# templates for existing customers may go without consent.
DOUBLE_OPT_IN_DAYS = int(os.environ.get("DOUBLE_OPT_IN_DAYS", "7"))
DOUBLE_OPT_IN_REMINDER_DAYS = int(os.environ.get("DOUBLE_OPT_IN_REMINDER_DAYS", "0"))
CONSENT_WARN_MONTHS = int(os.environ.get("CONSENT_WARN_MONTHS", "24"))
CONSENT_BLOCK_MONTHS = int(os.environ.get("CONSENT_BLOCK_MONTHS", "36"))
CONSENT_SIGNS = [
    name for name in os.environ.get("CONSENT_SIGNS", "message.clicked,message.replied,purchase").split(",") if name
]
EXISTING_CUSTOMER_ADS = os.environ.get("EXISTING_CUSTOMER_ADS", "") == "1"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "ninja",
    "loyalty.kit",
    "loyalty.local",
    "loyalty.access",
    "loyalty.customers",
    "loyalty.consent",
    "loyalty.events",
    "loyalty.rights",
    "loyalty.program",
    "loyalty.insights",
    "loyalty.offers",
    "loyalty.cards",
    "loyalty.rewards",
    "loyalty.play",
    "loyalty.subscriptions",
    "loyalty.checkout",
    "loyalty.partners",
    "loyalty.finance",
    "loyalty.portal",
    "campaigns.planning",
    "campaigns.channels",
    "campaigns.segments",
    "campaigns.content",
    "campaigns.delivery",
    "campaigns.tracking",
    "campaigns.flows",
    "campaigns.attribution",
    "campaigns.reports",
    "campaigns.gallery",
]

MIDDLEWARE = [
    "loyalty.kit.errors.ApiErrors",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "loyalty.kit.storable.StorableInput",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "loyalty.access.policy.ContentSecurityPolicy",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "loyalty.urls"
WSGI_APPLICATION = "loyalty.wsgi.application"
DATABASES = {"default": _database(DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "pages"],
        "APP_DIRS": False,
        "OPTIONS": {"environment": "loyalty.kit.pages.environment"},
    },
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["loyalty.kit.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = os.environ.get("TIME_ZONE", "Europe/Berlin")

STATIC_URL = "static/"
STATIC_ROOT = Path(os.environ.get("STATIC_ROOT", BASE_DIR / ".static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# In development whitenoise serves straight from the packages, so nothing has to be collected to start.
WHITENOISE_USE_FINDERS = True

_https = PUBLIC_URL.startswith("https://")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SESSION_COOKIE_AGE = 8 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 1024 * 1024

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Nothing may lie hidden longer than this: tasks are short ticks and carry no ETA.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_timeout": 5, "socket_connect_timeout": 3}
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "maintenance"

# The local mail sink, where demo mails go; unset it and senders name their own hosts.
SINK_SMTP = os.environ.get("SINK_SMTP") or _embedded.get("SINK_SMTP", "")
SINK_DIR = os.environ.get("SINK_DIR") or _embedded.get("SINK_DIR", "")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "loyalty.kit.logs.LineFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        "django.db.backends": {"level": "WARNING"},
        "django.server": {"level": "WARNING"},
        "celery": {"level": "WARNING"},
        "kombu": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
        "mail.log": {"level": "ERROR"},
    },
}

# How long events are kept whose type says nothing else ("400d"; empty: without end), and the ids by which an event that
# is sent again is known. A legal hold ("all", or the first day it covers) stops every removal.
EVENT_RETENTION = os.environ.get("EVENT_RETENTION", "")
EVENT_ID_MEMORY = os.environ.get("EVENT_ID_MEMORY", "1095d")
LEGAL_HOLD = os.environ.get("LEGAL_HOLD", "")

# Requests to others (webhooks): networks and hosts beyond the public internet, http beside https, another CA bundle.
OUTBOUND_ALLOW = [entry.strip() for entry in os.environ.get("OUTBOUND_ALLOW", "").split(",") if entry.strip()]
OUTBOUND_HTTP = os.environ.get("OUTBOUND_HTTP", "") == "1"
OUTBOUND_CA_FILE = os.environ.get("OUTBOUND_CA_FILE", "")
# Passes for phones: files with what signs them (docs/cards.md); without them there are none.
WALLET_APPLE_CERTIFICATE = os.environ.get("WALLET_APPLE_CERTIFICATE", "")
WALLET_APPLE_AUTHORITY = os.environ.get("WALLET_APPLE_AUTHORITY", "")
WALLET_APPLE_PASSWORD = os.environ.get("WALLET_APPLE_PASSWORD", "")
WALLET_GOOGLE_KEY = os.environ.get("WALLET_GOOGLE_KEY", "")
WALLET_GOOGLE_CLASS = os.environ.get("WALLET_GOOGLE_CLASS", "")
WALLET_COLOR = os.environ.get("WALLET_COLOR", "#1f4f8f")

# A TrueType file for PDFs; the one that comes along knows the letters of western Europe, Poland and Turkey.
PDF_FONT = os.environ.get("PDF_FONT", "")

# What the admin says beside its title, so that nobody mistakes a trial for the real thing.
ENVIRONMENT_LABEL = os.environ.get("ENVIRONMENT_LABEL") or (_("One machine") if _embedded else "")

UNFOLD = {
    "SITE_TITLE": _("Loyalty campaigns"),
    "SITE_HEADER": _("Loyalty campaigns"),
    "SITE_SYMBOL": "loyalty",
    "SITE_URL": None,
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "loyalty.kit.sidebar.environment",
    "STYLES": ["loyalty.kit.sidebar.styles"],
    "SCRIPTS": ["loyalty.kit.sidebar.scripts"],
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": "loyalty.kit.sidebar.favicon"}],
    "SIDEBAR": {"show_search": False, "navigation": "loyalty.kit.sidebar.sidebar"},
}
