import io
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from loyalty.local.processes import Forked
from loyalty.local.supervisor import Child, Part, Supervisor


def house(*parts: Part) -> tuple[Supervisor, io.StringIO]:
    out = io.StringIO()
    return Supervisor(list(parts), out=out), out


def forked(run: Callable[[], int | None]) -> Callable[[int], Child]:
    return lambda output: Forked(run, output=output, leave=lambda: None)


def say(text: str) -> None:
    os.write(1, text.encode())  # pytest holds sys.stdout


def wait_for_ever() -> int:
    time.sleep(3600)
    return 0


def test_what_children_print_carries_their_name() -> None:
    def speak() -> int:
        say("one\ntwo\n")
        return 0

    supervisor, out = house(Part("voice", forked(speak), essential=True))
    assert supervisor.run() == 0
    assert out.getvalue() == "voice | one\nvoice | two\n"


def test_the_end_of_an_essential_part_ends_all_with_its_status() -> None:
    other = Part("other", forked(wait_for_ever))
    supervisor, _ = house(other, Part("script", forked(lambda: 7), essential=True))
    assert supervisor.run() == 7
    assert other.child is None


def test_a_killed_part_comes_back(tmp_path: Path) -> None:
    seen = tmp_path / "pids"

    def live() -> int:
        with seen.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return wait_for_ever()

    part = Part("worker", forked(live))
    supervisor, out = house(part)
    began, killed = time.monotonic(), []

    def watch() -> None:
        pids = seen.read_text().split() if seen.exists() else []
        if len(pids) == 1 and not killed:
            killed.append(pids[0])
            os.kill(int(pids[0]), signal.SIGKILL)
        if len(pids) == 2 or time.monotonic() - began > 10:
            supervisor.end()

    supervisor.run(every_turn=watch)
    pids = seen.read_text().split()
    assert len(set(pids)) == 2
    assert "worker | was ended by SIGKILL after 0 s, starts again in 0.5 s" in out.getvalue()
    assert not Path(f"/proc/{pids[1]}").exists()


def test_stages_stop_in_order_and_the_stubborn_are_killed() -> None:
    ended: list[str] = []

    class Noting:
        """A child that tells when it is seen to have ended."""

        def __init__(self, name: str, child: Forked) -> None:
            self.name, self.child, self.pid = name, child, child.pid

        def poll(self) -> int | None:
            status = self.child.poll()
            if status is not None and self.name not in ended:
                ended.append(self.name)
            return status

        def send_signal(self, number: int) -> None:
            self.child.send_signal(number)

    def deaf() -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say("ready\n")
        return wait_for_ever()

    def part(name: str, run: Callable[[], int], stage: int) -> Part:
        return Part(name, lambda output: Noting(name, forked(run)(output)), stage=stage, patience=0.3)  # type: ignore[arg-type]

    supervisor, out = house(part("database", wait_for_ever, 3), part("deaf", deaf, 1), part("web", wait_for_ever, 0))
    end = time.monotonic() + 10

    def watch() -> None:
        if "ready" in out.getvalue() or time.monotonic() > end:
            supervisor.end()

    supervisor.run(every_turn=watch)
    assert ended == ["web", "deaf", "database"]
    assert "deaf     | does not stop, is killed" in out.getvalue()


def test_a_signal_stops_all() -> None:
    part = Part("web", forked(wait_for_ever))
    supervisor, _ = house(part)
    began = time.monotonic()
    supervisor.run(every_turn=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert part.child is None
    assert time.monotonic() - began < 5
