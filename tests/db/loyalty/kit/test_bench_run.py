"""The bench harness: what it counts, what it sums up, where it puts its database."""

import json
import os

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils.module_loading import autodiscover_modules

from loyalty.kit import bench_run
from loyalty.kit.bench_run import FIGURES, measure
from loyalty.kit.benches import Bench, Done, Size, Target, Workload, benches
from loyalty.kit.management.commands.bench import table


class Rows(Workload):
    """Rows into a table; the raw limit does twice the work in a call."""

    def prepare(self) -> None:
        self.calls = 0
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bench_row (i int)")

    def before_run(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE bench_row")

    def run(self) -> Done:
        self.calls += 1
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO bench_row SELECT generate_series(1, %s)", [self.size.n])
        return Done(self.size.n, seconds=self.size.n / 100, extras={"p95": self.calls, "label": f"run {self.calls}"})

    def raw(self) -> Done:
        return Done(self.size.n, seconds=self.size.n / 400)


TARGETS = (Target("ratio", at_least=0.2), Target("p95", at_most=1.5), Target("unknown", at_least=1))
autodiscover_modules("bench")  # before the first look freezes the registry

ROWS = Bench("rows", "row", 1_000, 500, TARGETS, Rows)


def test_what_is_not_given_keeps_its_proportion() -> None:
    assert ROWS.size() == Size(1_000, 500)
    assert ROWS.size(customers=5_000) == Size(10_000, 5_000)
    assert ROWS.size(n=10, workers=2) == Size(10, 5, 2)
    assert ROWS.size(n=10, customers=3) == Size(10, 3)
    assert Bench("x", "row", 1_000, 0, (), Rows).size(n=7) == Size(7, 0)


@pytest.mark.django_db
def test_the_result_holds_medians_spread_raw_limit_and_targets() -> None:
    said: list[str] = []
    result = measure(ROWS, Size(1_000, 500), runs=3, say=said.append, database=False)
    assert [name for name in FIGURES if name not in result] == []
    assert (result["name"], result["n"], result["unit"], result["customers"]) == ("rows", 1_000, "row", 500)
    assert (result["rate"], result["raw_rate"], result["ratio"], result["seconds"]) == (100.0, 400.0, 0.25, 10.0)
    assert result["runs"] == [{"seconds": 10.0, "rate": 100.0, "raw_rate": 400.0}] * 3
    assert (result["p95"], result["label"]) == (2, "run 3")
    assert [target["met"] for target in result["targets"]] == [True, False, False]
    assert 20 < result["wal_bytes_per_row"] < 1_000
    assert result["peak_rss_mb"] > 10
    assert said[0] == "preparing 500 customers, 1,000 x row"
    assert "  target p95      <= 1.5  MISSED" in table(result)


@pytest.mark.django_db
def test_an_extra_may_not_hide_a_figure() -> None:
    class Hiding(Rows):
        def run(self) -> Done:
            return Done(1, extras={"rate": 1})

    with pytest.raises(ValueError, match="may not be called rate"):
        measure(Bench("hiding", "row", 1, 1, (), Hiding), Size(1, 1), runs=1, say=lambda _: None, database=False)


@pytest.mark.django_db(transaction=True)
def test_the_database_is_its_own_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_run, "call_command", lambda *_, **__: None)
    before = settings.DATABASES["default"]["NAME"], os.environ.get("DATABASE_URL")
    with bench_run.own_database("bench_own"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_database()")
            assert cursor.fetchone() == ("bench_own",)
        assert os.environ["DATABASE_URL"].endswith("/bench_own")
    assert (settings.DATABASES["default"]["NAME"], os.environ.get("DATABASE_URL")) == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), count(*) FROM pg_database WHERE datname = 'bench_own'")
        assert cursor.fetchone() == (before[0], 0)


def test_an_unknown_name_lists_the_known() -> None:
    with benches.temporary("rows", ROWS), pytest.raises(CommandError, match="unknown bench 'row'; known: .*rows"):
        call_command("bench", "row")


@pytest.mark.django_db
def test_the_command_prints_one_json_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def inside(bench: Bench, size: Size, **options: object) -> dict[str, object]:
        return measure(bench, size, runs=1, say=lambda _: None, database=False)

    monkeypatch.setattr("loyalty.kit.management.commands.bench.measure", inside)
    with benches.temporary("rows", ROWS):
        call_command("bench", "rows", "--n", "100", "--json")
    assert json.loads(capsys.readouterr().out)["n"] == 100
