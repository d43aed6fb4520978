"""Settings: defaults < costctl.yaml < environment < flags, and which costctl.yaml is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from costctl.config import SettingError, Settings, SourceEntry, load
from costctl.documents import DocumentError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The current directory."""
    directory = tmp_path / "here"
    directory.mkdir()
    return directory


def write(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "costctl.yaml"
    path.write_text(text)
    return path


# --- where a setting comes from ---------------------------------------------------------------------------


def test_defaults(here: Path, home: Path) -> None:
    assert load({}, here) == Settings(
        db=home / "data" / "costctl" / "ledger.duckdb",
        tz=None,
        format="table",
        prices=None,
        wait=30.0,
        quiet=False,
        sources=(),
        file=None,
    )


EVERYTHING = """\
db: usage.duckdb
tz: Europe/Berlin
format: md
prices: prices/own.yaml
wait: 2.5
quiet: true
"""


def test_the_file_goes_before_the_defaults(here: Path) -> None:
    file = write(here, EVERYTHING)
    assert load({}, here) == Settings(
        db=here / "usage.duckdb",
        tz="Europe/Berlin",
        format="md",
        prices=here / "prices" / "own.yaml",
        wait=2.5,
        quiet=True,
        file=file,
    )


ENVIRONMENT = {
    "COSTCTL_DB": "/srv/other.duckdb",
    "COSTCTL_TZ": "UTC",
    "COSTCTL_FORMAT": "csv",
    "COSTCTL_PRICES": "/srv/prices.yaml",
    "COSTCTL_WAIT": "0",
    "COSTCTL_QUIET": "0",
}


def test_the_environment_goes_before_the_file(here: Path) -> None:
    file = write(here, EVERYTHING)
    assert load(ENVIRONMENT, here) == Settings(
        db=Path("/srv/other.duckdb"),
        tz="UTC",
        format="csv",
        prices=Path("/srv/prices.yaml"),
        wait=0.0,
        quiet=False,
        file=file,
    )


def test_flags_go_before_the_environment(here: Path) -> None:
    settings = load(
        ENVIRONMENT,
        here,
        db="mine.duckdb",
        tz="Asia/Taipei",
        format="json",
        prices="mine.yaml",
        wait="7",
        quiet=True,
    )
    assert settings == Settings(
        db=here / "mine.duckdb",
        tz="Asia/Taipei",
        format="json",
        prices=here / "mine.yaml",
        wait=7.0,
        quiet=True,
    )


def test_an_empty_variable_is_as_good_as_none(here: Path) -> None:
    write(here, EVERYTHING)
    assert load(dict.fromkeys(ENVIRONMENT, ""), here) == load({}, here)


def test_a_path_in_the_environment_starts_at_the_current_directory_and_may_begin_with_home(
    here: Path, home: Path
) -> None:
    assert load({"COSTCTL_DB": "x.duckdb"}, here).db == here / "x.duckdb"
    assert load({"COSTCTL_DB": "~/x.duckdb"}, here).db == home / "home" / "x.duckdb"


def test_the_zone_is_the_settings_or_the_machines(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Lima")
    assert load({}, here).zone.key == "America/Lima"
    assert load({}, here, tz="Asia/Tokyo").zone.key == "Asia/Tokyo"


# --- which file -------------------------------------------------------------------------------------------


def test_the_file_in_the_current_directory_goes_before_the_users_own(here: Path, home: Path) -> None:
    own = write(home / "config" / "costctl", "tz: Asia/Tokyo")
    assert load({}, here).file == own
    assert load({}, here).tz == "Asia/Tokyo"
    near = write(here, "format: md")
    assert load({}, here).file == near
    assert load({}, here).tz is None, "one file is read, not two"


def test_the_variable_goes_before_both(here: Path, home: Path) -> None:
    write(home / "config" / "costctl", "tz: Asia/Tokyo")
    write(here, "tz: Asia/Taipei")
    named = write(home / "named", "tz: Europe/Berlin")
    settings = load({"COSTCTL_CONFIG": str(named)}, here)
    assert (settings.tz, settings.file) == ("Europe/Berlin", named)


def test_a_named_file_must_be_there(here: Path) -> None:
    with pytest.raises(DocumentError, match=r"nowhere\.yaml: cannot be read: No such file"):
        load({"COSTCTL_CONFIG": str(here / "nowhere.yaml")}, here)


def test_paths_in_a_file_start_at_the_file(here: Path, home: Path) -> None:
    write(home / "config" / "costctl", "db: l.duckdb\nprices: p.yaml\nsources: [logs]")
    settings = load({}, here)
    assert settings.db == home / "config" / "costctl" / "l.duckdb"
    assert settings.prices == home / "config" / "costctl" / "p.yaml"
    assert settings.sources == (SourceEntry(path=str(home / "config" / "costctl" / "logs")),)


# --- a file that may be somebody else's -------------------------------------------------------------------


@pytest.mark.parametrize("key", ["db", "prices"])
@pytest.mark.parametrize("elsewhere", ["../ledger.duckdb", "/srv/ledger.duckdb", "~/ledger.duckdb", "link/l"])
def test_a_file_in_the_current_directory_names_no_file_outside(here: Path, elsewhere: str, key: str) -> None:
    (here / "link").symlink_to("/srv")
    file = write(here, f"tz: UTC\n{key}: {elsewhere}")
    with pytest.raises(DocumentError) as caught:
        load({}, here)
    assert (caught.value.file, caught.value.line) == (str(file), 2)
    assert "within that directory" in caught.value.message
    assert f"--{key}" in caught.value.hint


def test_a_ledger_that_is_a_link_to_elsewhere_is_outside(here: Path) -> None:
    (here / "ledger.duckdb").symlink_to("/srv/ledger.duckdb")
    write(here, "db: ledger.duckdb")
    with pytest.raises(DocumentError, match="within that directory"):
        load({}, here)


def test_it_may_name_one_below_itself(here: Path) -> None:
    write(here, "db: sub/../var/ledger.duckdb")
    assert load({}, here).db == here / "sub" / ".." / "var" / "ledger.duckdb"


def test_the_user_may_name_any_ledger(here: Path, home: Path) -> None:
    own = write(home / "config" / "costctl", "db: /srv/ledger.duckdb")
    assert load({}, here).db == Path("/srv/ledger.duckdb")
    assert load({}, own.parent).db == Path("/srv/ledger.duckdb"), "also from where that file lies"
    write(here, "db: /srv/ledger.duckdb")
    variable = {"COSTCTL_CONFIG": str(here / "costctl.yaml")}
    assert load(variable, here).db == Path("/srv/ledger.duckdb")
    assert load({}, here, db="/srv/other.duckdb").db == Path("/srv/other.duckdb"), "the flag goes before it"


# --- what cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("COSTCTL_WAIT", "soon", "COSTCTL_WAIT: 'soon' is not a number of seconds"),
        ("COSTCTL_WAIT", "-1", "COSTCTL_WAIT: '-1' is not a number of seconds"),
        ("COSTCTL_WAIT", "nan", "COSTCTL_WAIT: 'nan' is not a number of seconds"),
        ("COSTCTL_WAIT", "86401", "COSTCTL_WAIT: '86401' is not a number of seconds"),
        ("COSTCTL_FORMAT", "xml", "COSTCTL_FORMAT: 'xml' is no format"),
        ("COSTCTL_QUIET", "perhaps", "COSTCTL_QUIET: 'perhaps' is neither true nor false"),
        ("COSTCTL_TZ", "Europe/Berlim", "COSTCTL_TZ: unknown time zone 'Europe/Berlim'"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(here: Path, variable: str, value: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        load({variable: value}, here)
    assert str(caught.value) == message
    assert caught.value.hint


@pytest.mark.parametrize("word", ["1", "true", "YES", "on"])
def test_words_for_quiet(here: Path, word: str) -> None:
    assert load({"COSTCTL_QUIET": word}, here).quiet is True


def test_a_flag_that_cannot_be_read_is_named(here: Path) -> None:
    with pytest.raises(SettingError, match=r"^--wait: 'x' is not"):
        load({}, here, wait="x")
    with pytest.raises(SettingError, match=r"^--format: 'x' is no format"):
        load({}, here, format="x")
    with pytest.raises(SettingError, match=r"^--tz: unknown time zone"):
        load({}, here, tz="Europe/Berlim")


def test_a_zone_in_the_file_that_is_none_has_its_line(here: Path) -> None:
    file = write(here, "wait: 1\ntz: Europe/Berlim")
    with pytest.raises(DocumentError) as caught:
        load({}, here)
    assert (caught.value.file, caught.value.line) == (str(file), 2)
    assert caught.value.hint == "did you mean Europe/Berlin?"


def test_an_unknown_key_has_its_line(here: Path) -> None:
    write(here, "wait: 1\nfromat: json")
    with pytest.raises(DocumentError) as caught:
        load({}, here)
    assert caught.value.line == 2
    assert "format" in caught.value.hint


# --- sources ----------------------------------------------------------------------------------------------


def test_sources(here: Path, home: Path) -> None:
    file = write(
        here,
        """\
sources:
  - logs/*.jsonl
  - claude_code: true
    team: platform
  - path: ~/exports
    as: openai
    project: search
    user: ada
    agent: crawler
    tags: {env: prod}
    assume_tz: Europe/Berlin
""",
    )
    assert load({}, here).sources == (
        SourceEntry(path=str(here / "logs" / "*.jsonl")),
        SourceEntry(claude_code=True, team="platform"),
        SourceEntry(
            path=str(home / "home" / "exports"),
            format="openai",
            project="search",
            user="ada",
            agent="crawler",
            tags={"env": "prod"},
            assume_tz="Europe/Berlin",
            place=f"{file}:6",
        ),
    )


def test_a_fault_in_a_source_has_its_line(here: Path) -> None:
    write(here, "sources:\n  - logs\n  - path: exports\n    assume_tz: Europe/Berln\n")
    with pytest.raises(DocumentError, match=re.escape("unknown time zone 'Europe/Berln'")) as caught:
        load({}, here)
    assert caught.value.line == 4


def test_the_place_of_a_named_format_is_kept(here: Path) -> None:
    file = write(here, "sources:\n  - logs\n  - path: exports\n    as: openai\n")
    assert [source.place for source in load({}, here).sources] == ["", f"{file}:4"]


# --- currency ---------------------------------------------------------------------------------------------


def test_the_currency_of_amounts(here: Path) -> None:
    assert load({}, here).currency == "USD"
    write(here, "currency: TWD\n")
    assert load({}, here).currency == "TWD"
    assert load({"COSTCTL_CURRENCY": "eur"}, here).currency == "EUR"
    assert load({"COSTCTL_CURRENCY": "eur"}, here, currency="jpy").currency == "JPY"


@pytest.mark.parametrize("code", ["EURO", "E1R", "ÄÖÜ"])
def test_what_is_no_currency(here: Path, code: str) -> None:
    with pytest.raises(SettingError, match="COSTCTL_CURRENCY"):
        load({"COSTCTL_CURRENCY": code}, here)
    with pytest.raises(SettingError, match="--currency"):
        load({}, here, currency=code)


def test_exchange_rates_lie_beside_the_settings(here: Path) -> None:
    assert load({}, here).currency_file is None
    (here / "currency.yaml").touch()
    assert load({}, here).currency_file == here / "currency.yaml"
    write(here, "currency_file: rates.yaml\n")
    assert load({}, here).currency_file == here / "rates.yaml"
    assert load({"COSTCTL_CURRENCY_FILE": "/srv/rates.yaml"}, here).currency_file == Path("/srv/rates.yaml")
    write(here, "currency_file: ../rates.yaml\n")
    with pytest.raises(DocumentError, match="may only name files within that directory") as caught:
        load({}, here)
    assert caught.value.hint.startswith("name it with COSTCTL_CURRENCY_FILE, or move the line to")
