"""Where output goes: terminals, pipes that close, files that are replaced whole or not at all."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import samples

from costctl.render import ENDINGS, OutputError, closed_pipe_ends_quietly, has_color, render, write
from costctl.render import files as render_files
from costctl.report import Column, Report
from costctl.terminal import make_writable, width_of

REPORT = samples.bill()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM"):
        monkeypatch.delenv(name, raising=False)


# colour and width ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "environment", "color"),
    [
        (io.StringIO, {}, False),
        (Terminal, {}, True),
        (Terminal, {"TERM": "dumb"}, False),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": ""}, True),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
        (io.StringIO, {"FORCE_COLOR": ""}, False),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_for_terminals_or_by_order(
    stream: type[io.StringIO], environment: dict[str, str], color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    target = stream()
    assert has_color(target) is color
    render(REPORT, stream=target)
    assert ("\x1b" in target.getvalue()) is color


def test_data_formats_have_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    for format in ("json", "csv", "md"):
        stream = Terminal()
        render(REPORT, format, stream=stream)  # type: ignore[arg-type]
        assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(("columns", "width"), [("60", 60), ("5", 20), ("", 100), ("0", 100), ("wide", 100)])
def test_width_of_a_pipe(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert width_of(io.StringIO()) == width
    assert width_of(Terminal()) == width


def test_width_of_a_terminal() -> None:
    import fcntl
    import pty
    import struct
    import termios

    leader, follower = pty.openpty()
    try:
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 133, 0, 0))
        with open(follower, "w", closefd=False) as stream:
            assert width_of(stream) == 133
            # As the terminals of some containers and build machines do.
            fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
            assert width_of(stream) == 100
    finally:
        os.close(leader)
        os.close(follower)


def test_streams_that_are_not_utf8() -> None:
    ascii_stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    make_writable(ascii_stream)
    ascii_stream.write("a – b")
    ascii_stream.flush()
    assert ascii_stream.buffer.getvalue() == b"a \\u2013 b"  # type: ignore[attr-defined]

    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    report = Report("report", "", (Column("team", "text"),), [("客戶",)])
    render(report, "json", stream=latin)
    assert json.loads(latin.buffer.getvalue().decode())["rows"] == [{"team": "客戶"}]  # type: ignore[attr-defined]


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="table, json, csv, md"):
        render(REPORT, "xml", stream=io.StringIO())  # type: ignore[arg-type]


def test_render_writes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    render(REPORT)
    assert "$127,850.00" in capsys.readouterr().out


def test_importing_render_is_cheap() -> None:
    code = (
        "import sys, costctl.render as r, io\n"
        "r.render(r.Report('report', '', (), []), 'json', stream=io.StringIO())\n"
        "print([m for m in ('rich', 'pyarrow', 'duckdb', 'typer') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


# a closed pipe ---------------------------------------------------------------------------------------------

WRITER = """
import sys
from costctl.render import closed_pipe_ends_quietly, render
from costctl.report import Column, Report
report = Report("report", "", (Column("team", "text"),), [("x" * 90,)] * 20_000)
with closed_pipe_ends_quietly(sys.stdout):
    render(report, sys.argv[1])
sys.exit(4)
"""


@pytest.mark.parametrize("format", ["table", "json", "csv", "md"])
def test_a_closed_pipe_ends_quietly(format: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, format], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 4  # the command's own exit code


def test_other_errors_of_a_stream_are_not_hidden() -> None:
    with pytest.raises(OSError, match="full"), closed_pipe_ends_quietly(io.StringIO()):
        raise OSError(28, "disk full")


# files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_names_the_format(ending: str, tmp_path: Path) -> None:
    path = write(REPORT, tmp_path / f"bill{ending}")
    content = path.read_bytes()
    beginnings = {
        ".json": b"{\n",
        ".csv": b'"model",',
        ".md": b"**Bill**",
        ".parquet": b"PAR1",
        ".txt": b"Bill\n",
    }
    assert content.startswith(beginnings[ending])
    assert b"\x1b" not in content or ending == ".parquet"
    assert list(tmp_path.iterdir()) == [path]
    write(REPORT, path, force=True)
    assert path.read_bytes() == content


def test_csv_files_end_lines_once(tmp_path: Path) -> None:
    assert b"\r\r" not in write(REPORT, tmp_path / "a.CSV").read_bytes()


@pytest.mark.parametrize("name", ["bill", "bill.xlsx", "bill.json.gz", ".json"])
def test_other_endings_are_errors_that_list_the_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError) as refusal:
        write(REPORT, tmp_path / name)
    assert ".json, .csv, .md, .parquet, .txt" in refusal.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("mine")
    with pytest.raises(OutputError) as refusal:
        write(REPORT, path)
    assert "--force" in refusal.value.hint
    assert path.read_text() == "mine"
    write(REPORT, path, force=True)
    assert path.read_text().startswith('"model"')


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    link = tmp_path / "a.csv"
    link.symlink_to(target)
    with pytest.raises(OutputError):
        write(REPORT, link)
    write(REPORT, link, force=True)
    assert target.read_text() == "mine"
    assert not link.is_symlink()
    dangling = tmp_path / "b.csv"
    dangling.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError):
        write(REPORT, dangling)


def test_directories_pipes_and_missing_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dir.json").mkdir()
    (tmp_path / "link.json").symlink_to(tmp_path / "dir.json")
    os.mkfifo(tmp_path / "pipe.json")
    for name in ("dir.json", "link.json", "pipe.json", "missing/a.json"):
        with pytest.raises(OutputError):
            write(REPORT, tmp_path / name, force=True)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a directory that root cannot write to")
def test_where_nothing_can_be_written_the_error_names_the_users_file() -> None:
    with pytest.raises(OSError) as refusal:  # noqa: PT011
        write(REPORT, "/proc/report.csv")
    assert refusal.value.filename == "/proc/report.csv"


def test_the_ledger_and_inputs_are_refused_by_any_name(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.csv"
    ledger.write_text("mine")
    (tmp_path / "link.csv").symlink_to(ledger)
    os.link(ledger, tmp_path / "hard.csv")
    (tmp_path / "sub").mkdir()
    for name in ("ledger.csv", "link.csv", "hard.csv", "sub/../ledger.csv"):
        with pytest.raises(OutputError, match="read by this command"):
            write(REPORT, tmp_path / name, force=True, refuse=[ledger])
    with pytest.raises(OutputError, match="read by this command"):
        write(REPORT, tmp_path / "new.csv", refuse=[tmp_path / "sub" / ".." / "new.csv"])
    assert ledger.read_text() == "mine"


def test_a_failed_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    path.write_text("mine")
    bad = Report("report", "", (Column("cost", "money"),), [(1,), (0.5,)])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        write(bad, path, force=True)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(render_files, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(REPORT, path, force=True)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_have_the_users_mode_and_replaced_ones_their_own(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        path = write(REPORT, tmp_path / "a.json")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        write(REPORT, path, force=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(old)
