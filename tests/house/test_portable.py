"""Nothing that is committed depends on the machine it was made on."""

import os
import re
import subprocess
import sys

from loyalty.local.state import REPOSITORY
from tests.house.sources import name_of, tracked

PUBLIC_HOSTS = {"pypi.org", "files.pythonhosted.org", "localhost"}


def registry_hosts() -> set[str]:
    """Where this machine takes its packages from, as pip and the environment say."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    told += "\n".join(value for name, value in os.environ.items() if re.search("INDEX_URL|REGISTRY|PROXY", name, re.I))
    found = re.findall(r"https?://(?:[^@/\s'\"]*@)?([^/:\s'\"]+)", told)
    return {host for host in found if host not in PUBLIC_HOSTS and not host.startswith("127.")}


def test_no_file_names_a_registry_or_this_checkout() -> None:
    forbidden = [*registry_hosts(), f"{REPOSITORY}/"]
    wrong = []
    for file in tracked("*"):
        content = file.read_bytes()
        wrong += [f"{name_of(file)} holds {text}" for text in forbidden if text.encode() in content]
    assert wrong == []


def test_the_lock_file_pins_by_hash_and_names_no_address() -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index-url" not in lock
    packages = re.findall(r"^[A-Za-z0-9].*$", lock, re.M)
    assert len(packages) > 40
    assert [line for line in packages if not re.fullmatch(r"[A-Za-z0-9_.\-\[\],]+==\S+( ; .+)? \\", line)] == []
    assert lock.count("--hash=sha256:") >= len(packages)


def test_no_home_directory_is_named() -> None:
    home = re.compile(rb"(?<![\w.])/(?:home|Users)/[a-z]")
    assert [name_of(file) for file in tracked("*.py") + tracked("*.md") if home.search(file.read_bytes())] == []
