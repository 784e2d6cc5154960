"""``python -m tiktok_shop_async.sandbox``: its banner, its errors at the start, its end."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

import tiktok_shop_async.sandbox.__main__ as command
from tiktok_shop_async.sandbox import DEMO_APP_KEY, DEMO_APP_SECRET, StateFile
from tiktok_shop_async.sandbox.server import listening, url_of

COMMAND = (sys.executable, "-m", "tiktok_shop_async.sandbox", "--orders", "3")
VARIABLES = ["TIKTOK_BASE_URL", "TIKTOK_APP_KEY", "TIKTOK_APP_SECRET", "TIKTOK_ACCESS_TOKEN"]
CAP_DAC_OVERRIDE, CAP_NET_BIND_SERVICE = 1, 10
PR_CAPBSET_DROP = 24


def without_privileges() -> None:
    """Make the program that this process becomes one that permissions hold for, also as root."""
    for capability in (CAP_DAC_OVERRIDE, CAP_NET_BIND_SERVICE):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def failure(*arguments: str, preexec_fn: Callable[[], None] | None = None) -> tuple[int, str]:
    """Return the exit code and the only line on stderr of a command that cannot start."""
    done = subprocess.run(  # noqa: S603
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        preexec_fn=preexec_fn,
        timeout=60,
        check=False,
    )
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("python -m tiktok_shop_async.sandbox: error: ")
    return done.returncode, lines[0]


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """Give a sandbox that serves, and its banner."""
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        banner = []
        for line in process.stdout:
            banner.append(line.rstrip("\n"))
            if "press Ctrl+C" in line:
                break
        try:
            yield process, banner
        finally:
            process.kill()


def in_a_shell(lines: str, *names: str) -> list[str]:
    """Return variables as a child of a POSIX shell has them that was given some lines."""
    child = f"{shlex.quote(sys.executable)} -c {shlex.quote(SHOW)} {' '.join(names)}"
    done = subprocess.run(  # noqa: S603
        ["/bin/sh", "-eu", "-c", f"{lines}\n{child}"],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"]},
        check=True,
    )
    assert done.stderr == ""
    values: list[str] = json.loads(done.stdout)
    return values


SHOW = "import json, os, sys; print(json.dumps([os.environ[name] for name in sys.argv[1:]]))"


# The banner.


def test_the_banner_is_a_script_and_names_the_console() -> None:
    """All of it can be pasted: what is not for the shell is a comment."""
    with running() as (_, banner):
        base_url, *rest = in_a_shell("\n".join(banner), *VARIABLES)
        assert rest[:2] == [DEMO_APP_KEY, DEMO_APP_SECRET]
        assert [line for line in banner if not line.startswith(("export ", "# "))] == []
        (console,) = [line.split()[-1] for line in banner if line.startswith("# Console: ")]
        assert console == f"{base_url}/_sandbox/"
        with urllib.request.urlopen(console) as page:  # noqa: S310
            assert page.status == 200
        answer = httpx.get(base_url, follow_redirects=True, trust_env=False)
        assert answer.url == console


def test_its_lines_can_be_evaluated() -> None:
    """Without serving anything, for a sandbox that runs or will."""
    line = shlex.join([*COMMAND, "--print-env", "--port", "8765"])
    environment = f"PYTHONPATH={shlex.quote(os.environ.get('PYTHONPATH', ''))}"
    values = in_a_shell(f'eval "$({environment} {line})"', *VARIABLES)
    assert values[:2] == ["http://127.0.0.1:8765", DEMO_APP_KEY]


@pytest.mark.parametrize("host", ["a b; exit 7 #'\"$(exit 7)", "::1", "0.0.0.0"])  # noqa: S104
def test_what_a_shell_reads_is_quoted(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--print-env", "--host", host, "--port", "1"])
    (value,) = in_a_shell(capsys.readouterr().out, "TIKTOK_BASE_URL")
    assert value == url_of(host, 1)


async def test_the_root_leads_to_the_console_and_a_call_to_it_stays_a_call() -> None:
    transport = httpx.ASGITransport(command.create_app(orders=1))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        for method in ("GET", "HEAD"):
            answer = await http.request(method, "/")
            assert answer.status_code == 307
            assert answer.headers["location"] == "/_sandbox/"
        for method, url in (("POST", "/"), ("GET", "/?app_key=x")):
            answer = await http.request(method, url)
            assert (answer.status_code, answer.json()["code"]) == (404, 36009009)


# Errors at the start.


def test_a_port_in_use_is_named() -> None:
    with listening() as listener:
        port = str(listener.getsockname()[1])
        code, line = failure("--port", port)
    assert code == 1
    assert f"port {port} on 127.0.0.1 is in use" in line
    assert "another --port" in line


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_port_that_needs_privileges_is_named() -> None:
    unprivileged = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
    if int(unprivileged.read_text(encoding="ascii")) == 0:
        pytest.skip("no port needs privileges on this machine")
    code, line = failure("--port", "1", preexec_fn=without_privileges)
    assert (code, "port 1 requires privileges: use a --port above 1023" in line) == (1, True)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 80, "-"])
def test_a_host_that_cannot_be_resolved_is_named(host: str) -> None:
    code, line = failure(f"--host={host}")
    assert (code, f"--host {host} cannot be resolved" in line) == (1, True)


def test_a_host_of_another_machine_is_named() -> None:
    code, line = failure("--host", "192.0.2.1")
    assert (code, "192.0.2.1 is not an address of this machine" in line) == (1, True)


def test_the_errors_of_a_socket_are_explained_whatever_the_system() -> None:
    """Those that the machine of the tests may not raise."""
    for error, word in (
        (PermissionError(13, "no"), "requires privileges"),
        (OSError(9999, "odd"), "cannot listen"),
        (OSError("text only"), "text only"),
        (socket.gaierror(-2, "no"), "cannot be resolved"),
    ):
        assert word in command.listen_error(error, "h", 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "65536"], ("--port", "0 to 65535")),
        (["--port", "http"], ("--port", "0 to 65535", "not 'http'")),
        (["--port", "9" * 5000], ("--port", "0 to 65535")),
        (["--seed", "x"], ("--seed", "an integer", "not 'x'")),
        (["--seed", "9" * 5000], ("--seed", "an integer")),
        (["--host", ""], ("--host", "localhost")),
        (["--allow-host", "sandbox:8765"], ("--allow-host", "without a port")),
        (["--allow-host", ""], ("--allow-host", "a host name")),
        (["--allow-host", "http://sandbox"], ("--allow-host", "a host name")),
        (["--state", ""], ("--state", "a file")),
        (["--redirect-url", "http://a/\ntouch b"], ("--redirect-url", "URL")),
        (["--orders=-1"], ("--orders", "0 to 1000000")),
        (["--webhook-url", "receiver"], ("--webhook-url", "URL")),
        (["--redirect-url", "http://[x"], ("--redirect-url", "URL")),
        (["--webhook-time-scale", "nan"], ("--webhook-time-scale", "0 to 1000", "nan")),
        (["--webhook-time-scale", "-1"], ("--webhook-time-scale",)),
        (["--limits", '{"hourly_quota": 1e400}'], ("--limits", "hourly_quota")),
        (["--print-env"], ("--print-env", "--port")),
        (["--no-such-option"], ("--no-such-option", "--help")),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert [word for word in words if word not in line] == []
    assert len(line) < 300


# State records that cannot be used.


def new_state(path: Path) -> None:
    """Write a sandbox's state, and let go of it."""
    with StateFile(path) as state:
        command.create_app(orders=40, state=state)


def change(path: Path, *statements: str) -> None:
    file = sqlite3.connect(path)
    with file:
        for statement in statements:
            file.execute(statement)
    file.close()


def letter(path: Path) -> None:
    path.write_text("a letter, longer than the header of a database is\n" * 20)


def another_database(path: Path) -> None:
    change(path, "CREATE TABLE letters (line TEXT)")


def an_empty_database_of_another_program(path: Path) -> None:
    change(path, "PRAGMA application_id = 7", "CREATE TABLE t (x)", "DROP TABLE t")


def directory(path: Path) -> None:
    path.mkdir()


def newer(path: Path) -> None:
    new_state(path)
    change(path, "PRAGMA user_version = 99")


def truncated(path: Path) -> None:
    new_state(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 // 4096 * 4096])


def scrambled(path: Path) -> None:
    new_state(path)
    content = bytearray(path.read_bytes())
    content[4096 : len(content)] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def record(kind: str, document: str) -> Callable[[Path], None]:
    """Return what spoils the records of a kind."""

    def spoil(path: Path) -> None:
        new_state(path)
        file = sqlite3.connect(path)
        with file:
            file.execute("UPDATE record SET json = ? WHERE kind = ?", (document, kind))
        file.close()

    return spoil


def order_status(document: str) -> Callable[[Path], None]:
    """Return what gives every order another status."""

    def spoil(path: Path) -> None:
        new_state(path)
        status = f"json_set(json, '$.status', json('{document}'))"
        change(path, f"UPDATE record SET json = {status} WHERE kind = 'order'")  # noqa: S608

    return spoil


def without_table(path: Path) -> None:
    new_state(path)
    change(path, "DROP TABLE record", "CREATE TABLE other (x)")


SPOILT = [
    (letter, "is not a sandbox's state file: name another file"),
    (another_database, "is not a sandbox's state file: name another file"),
    (an_empty_database_of_another_program, "is not a sandbox's state file: name another file"),
    (directory, "is a directory: name a file"),
    (newer, "has format 99 of another version"),
    (truncated, "is damaged"),
    (scrambled, "is damaged"),
    (without_table, "cannot be used"),
    (record("order", "{"), "is damaged: its order"),
    (record("order", "{}"), "is damaged: its order"),
    (order_status("[]"), "is damaged: its order"),
    (order_status('"SHIPPED"'), "is damaged: its order"),
    (record("product", "[]"), "is damaged: its product"),
    (record("grants", "null"), "is damaged: its grants"),
    (record("subscriptions", "[1]"), "is damaged: its subscriptions"),
    (record("clock", '{"moved": NaN}'), "is damaged: its clock"),
    (record("clock", '{"moved": 1e300}'), "is damaged: its clock"),
    (record("clock", '{"moved": "1"}'), "is damaged: its clock"),
    (record("clock", "[" * 100_000), "is damaged: its clock"),
]


@pytest.mark.parametrize(("spoil", "words"), SPOILT)
def test_a_state_that_cannot_be_used_is_named_and_left_as_it_is(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], None],
    words: str,
) -> None:
    path = tmp_path / "shop.db"
    spoil(path)
    before = None if path.is_dir() else rows_or_bytes(path)
    with pytest.raises(SystemExit) as caught:
        command.main(["--orders", "1", "--state", str(path)])
    assert caught.value.code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert f"error: {path} {words}" in line
    assert "file" in line.partition(words)[0] + line, "says what to do"
    assert path.is_dir() or rows_or_bytes(path) == before


def rows_or_bytes(path: Path) -> object:
    """Return what a file says, whatever SQLite moves between it and its log."""
    file = sqlite3.connect(path)
    try:
        return file.execute("SELECT * FROM record ORDER BY shop, kind, id").fetchall()
    except sqlite3.DatabaseError:
        return path.read_bytes()
    finally:
        file.close()


def test_a_state_in_use_by_another_sandbox_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with StateFile(path):
        code, line = failure("--state", str(path))
    assert (code, f"{path} is in use by another sandbox: stop that one" in line) == (1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_state_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    new_state(path)
    for mode in (0o444, 0o222, 0o000):
        path.chmod(mode)
        code, line = failure("--state", str(path), preexec_fn=without_privileges)
        words = f"{path} cannot be read and written: change its permissions"
        assert (code, words in line) == (1, True)


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_a_state_in_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        path = tmp_path / "shop.db"
        code, line = failure("--state", str(path), preexec_fn=without_privileges)
    finally:
        tmp_path.chmod(0o755)
    assert (code, f"{path} cannot be written: change the permissions of {tmp_path}" in line) == (
        1,
        True,
    )


def test_a_state_in_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "shop.db"
    code, line = failure("--state", str(path))
    assert (code, f"the directory {path.parent} does not exist" in line) == (1, True)


# Its end.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Its state is closed: nothing is left in SQLite's log, and the next start goes on from it."""
    path = tmp_path / "shop.db"
    with running("--state", str(path)) as (process, banner):
        (console,) = [line.split()[-1] for line in banner if line.startswith("# Console: ")]
        moved = httpx.post(f"{console}clock", json={"advance": 3600}, trust_env=False)
        assert moved.status_code == 200
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
        assert (process.returncode, output, errors) == (0, "", "")
    assert not Path(f"{path}-wal").exists()
    with sqlite3.connect(path) as file:
        (clock,) = file.execute("SELECT json FROM record WHERE kind = 'clock'").fetchone()
    file.close()
    assert json.loads(clock) == {"moved": 3600}


def test_an_embedded_command_gives_its_signal_handler_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: None)
    command.main(["--orders", "1"])
    assert "export TIKTOK_BASE_URL=" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("name", ["sandbox", "Shop.Example", "::1", "[fd00::1]", "10.0.0.5"])
def test_names_and_addresses_can_be_allowed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command.main(["--allow-host", name, "--seed", "-5", "--port", "8765", "--print-env"])
    assert "TIKTOK_BASE_URL" in capsys.readouterr().out
