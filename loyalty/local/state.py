"""Where one machine keeps its own things: the state directory, its lock, the addresses of running services, the secret.

Knows no Django, because settings read it. Layout of the state directory: `lock` (held by whoever runs the services),
`users` (shared by commands that use them), `services.json`, `secret`, and one folder per service.
"""

import fcntl
import hashlib
import json
import os
import pwd
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[2]
UNPRIVILEGED = "nobody"
ADDRESSES = ("DATABASE_URL", "REDIS_URL", "SINK_SMTP", "SINK_DIR", "PUBLIC_URL")


class StateError(RuntimeError):
    """The machine's own things cannot be kept or used; the message says what to do."""


def service_account() -> pwd.struct_passwd | None:
    """The account services run as: `nobody` when we are root (PostgreSQL refuses root), None for ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise StateError(
            f"PostgreSQL refuses to run as root and there is no user {UNPRIVILEGED!r} to run it as; "
            "work as a normal user or set DATABASE_URL and REDIS_URL"
        ) from None


def can_enter(path: Path, account: pwd.struct_passwd) -> bool:
    """Whether `account` may traverse every existing folder on the way to `path`, itself included."""
    for folder in [path, *path.parents]:
        try:
            status = folder.stat()
        except FileNotFoundError:
            continue
        group_or_others = 0o010 if status.st_gid == account.pw_gid else 0o001
        if not status.st_mode & (0o100 if status.st_uid == account.pw_uid else group_or_others):
            return False
    return True


def state_directory() -> Path:
    """STATE_DIR, else `.state` in the project, else a folder under /var/lib; made if need be. Raises StateError."""
    account = service_account()
    given = os.environ.get("STATE_DIR")
    path = Path(given).absolute() if given else REPOSITORY / ".state"
    if account and not can_enter(path.parent if not path.exists() else path, account):
        if given:
            raise StateError(
                f"STATE_DIR={path}: user {account.pw_name!r}, who runs the services for root, cannot get there; "
                "choose a place such as /var/lib/loyalty-campaigns or open the folders above it (chmod o+x)"
            )
        name = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:12]
        path = Path("/var/lib/loyalty-campaigns") / name
    try:
        if not path.is_dir():
            path.mkdir(parents=True, exist_ok=True)
            path.chmod(0o755)
    except OSError as error:
        raise StateError(f"cannot make the state directory {path} ({error.strerror}); set STATE_DIR") from None
    if not os.access(path, os.W_OK):
        raise StateError(f"cannot write to the state directory {path}; set STATE_DIR to a folder of your own")
    return path


def write_private(path: Path, text: str) -> None:
    """Replace the file at once by one that only its owner can read."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def kept_secret(name: str, *, directory: Path | None = None) -> str:
    """A random secret, made once per state directory and kept 0600 in the file `name`."""
    path = (directory or state_directory()) / name
    try:
        # The link makes the first writer win, so two processes that start together agree.
        if not path.exists():
            draft = path.with_name(f"{name}.{secrets.token_hex(8)}")
            write_private(draft, secrets.token_urlsafe(32))
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()
    except PermissionError as error:
        raise StateError(f"cannot read {path} ({error.strerror}); set STATE_DIR to a folder of your own") from None


def development_secret() -> str:
    """The SECRET_KEY of an installation that sets none."""
    return kept_secret("secret")


class Lock:
    """The right to run the services of one state directory; released by the kernel when the process ends."""

    def __init__(self, directory: Path, name: str = "lock") -> None:
        self.path = directory / name
        self._file: IO[str] | None = None

    def acquire(self, *, wait: float = 2.0) -> bool:
        """Take it; False when someone else holds it. Waits a little, because readers hold it for an instant to ask."""
        file = open_lock(self.path)
        end = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    file.close()
                    return False
                time.sleep(0.05)
            else:
                self._file = file
                return True

    def release(self) -> None:
        """Let go. A forked child calls it too: it closes its copy only, the lock stays with the parent."""
        if self._file:
            self._file.close()
            self._file = None


def open_lock(path: Path) -> IO[str]:
    """A lock file, opened for `flock`; made readable for the owner only."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w")


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock file exclusively."""
    if not path.exists():
        return False
    with open_lock(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_services(directory: Path, addresses: dict[str, str]) -> None:
    """Tell other processes where the running services are (passwords included, so 0600)."""
    known = {name: addresses[name] for name in ADDRESSES if addresses.get(name)}
    write_private(directory / "services.json", json.dumps({"pid": os.getpid(), **known}, indent=1) + "\n")


def forget_services(directory: Path) -> None:
    """The services have stopped."""
    (directory / "services.json").unlink(missing_ok=True)


def embedded_urls() -> dict[str, str]:
    """Addresses of the running embedded services by environment name; empty when nobody runs them.

    The file is believed only while its writer holds the lock, so what a killed supervisor left behind misleads nobody.
    """
    try:
        directory = state_directory()
    except StateError:
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL") and os.environ.get("SECRET_KEY"):
            return {}  # an installation with services of its own needs no state directory
        raise
    if not is_locked(directory / "lock"):
        return {}
    try:
        content: dict[str, Any] = json.loads((directory / "services.json").read_text())
    except (OSError, ValueError):
        return {}
    return {name: str(content[name]) for name in ADDRESSES if name in content}


@contextmanager
def using_services(directory: Path) -> Iterator[None]:
    """While inside, the command that started the services for itself waits for us before it stops them."""
    with open_lock(directory / "users") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def wait_for_users(directory: Path) -> None:
    """Return when no other process is inside `using_services`."""
    with open_lock(directory / "users") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
