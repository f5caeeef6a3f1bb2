"""Finding the running server: by its runtime files, by its root, by its address; and what is never told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_assistant.errors import InvalidInput, ServerNotFound
from jupyter_assistant.kernel.client import Server, at, base_of, find, is_alive, is_loopback, running


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return folder


def put(runtime: Path, root: Path, *, port: int = 8888, pid: int | None = None, age: int = 0, **more: Any) -> None:
    """The file that a running server writes."""
    root.mkdir(parents=True, exist_ok=True)
    told = {"hostname": "localhost", "port": port, "secure": False, "base_url": "/", "token": f"t{port}", "sock": ""}
    told |= {"root_dir": str(root), "pid": os.getpid() if pid is None else pid, **more}
    file = runtime / f"jpserver-{port}.json"
    file.write_text(json.dumps(told))
    os.utime(file, (1_000_000 - age, 1_000_000 - age))


def ended() -> int:
    """The number of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_deepest_root_that_holds_the_folder_is_taken(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path, port=1)
    put(runtime, tmp_path / "a" / "b", port=2, age=9)
    put(runtime, tmp_path / "a", port=3)
    assert find(tmp_path / "a" / "b" / "c").url == "http://localhost:2/"
    assert find(tmp_path / "a").url == "http://localhost:3/"
    assert find(tmp_path / "ab").url == "http://localhost:1/"


def test_of_several_with_one_root_the_newest_is_taken(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path, port=1, age=5)
    put(runtime, tmp_path, port=2, age=1)
    put(runtime, tmp_path, port=3, age=7)
    assert find(tmp_path).url == "http://localhost:2/"


def test_a_name_that_only_begins_alike_holds_nothing(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path / "work", port=1)
    put(runtime, tmp_path / "workshop", port=2)
    assert find(tmp_path / "workshop" / "x").url == "http://localhost:2/"


def test_links_are_followed(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path / "real", port=1)
    put(runtime, tmp_path / "other", port=2)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert find(tmp_path / "link").url == "http://localhost:1/"


def test_the_only_server_is_taken_from_anywhere(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path / "a", port=1)
    assert find(tmp_path / "elsewhere").url == "http://localhost:1/"


def test_of_several_none_is_guessed(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path / "a", port=1)
    put(runtime, tmp_path / "b", port=2)
    with pytest.raises(ServerNotFound, match="http://localhost:1/, http://localhost:2/") as error:
        find(tmp_path)
    assert "--url" in error.value.hint
    assert str(tmp_path) not in error.value.text


def test_without_one_it_is_said_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServerNotFound) as error:
        find(tmp_path)
    assert "jupyter lab" in error.value.hint


def test_a_server_that_ended_without_a_word_is_passed_over(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path / "a", port=1, pid=ended())
    put(runtime, tmp_path / "b", port=2)
    assert find(tmp_path / "a").url == "http://localhost:2/"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"', '{"pid": "x"}', '{"pid": 1}', '{"port": 1}', "\xff"])
def test_a_file_that_tells_of_no_server_is_passed_over(runtime: Path, text: str) -> None:
    (runtime / "jpserver-1.json").write_text(text, "latin-1")
    assert running() == []


def test_another_programs_file_is_not_read(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path)
    (runtime / "jpserver-8888.json").rename(runtime / "nbserver-8888.json")
    assert running() == []


@pytest.mark.parametrize(
    ("told", "url"),
    [
        ({"hostname": "0.0.0.0"}, "http://127.0.0.1:8888/"),
        ({"hostname": ""}, "http://127.0.0.1:8888/"),
        ({"hostname": "::"}, "http://127.0.0.1:8888/"),
        ({"hostname": "::1"}, "http://[::1]:8888/"),
        ({"hostname": "10.0.0.7"}, "http://10.0.0.7:8888/"),
        ({"secure": True}, "https://localhost:8888/"),
        ({"base_url": "/user/ann/"}, "http://localhost:8888/user/ann/"),
        ({"base_url": "/a%40b"}, "http://localhost:8888/a%40b/"),
        ({"sock": "/tmp/s", "port": 0, "base_url": "/x/"}, "http://localhost/x/"),
    ],
)
def test_a_server_is_asked_where_it_listens(runtime: Path, tmp_path: Path, told: dict[str, Any], url: str) -> None:
    put(runtime, tmp_path, **{"port": 8888, **told})
    [server] = running()
    assert server.url == url


@pytest.mark.parametrize(
    ("pasted", "url", "token"),
    [
        ("http://localhost:8888", "http://localhost:8888/", ""),
        ("localhost:8888", "http://localhost:8888/", ""),
        ("http://localhost:8888/lab?token=abc", "http://localhost:8888/", "abc"),
        ("http://localhost:8888/user/ann/lab/tree/a/b.ipynb?token=abc#x", "http://localhost:8888/user/ann/", "abc"),
        ("http://localhost:8888/tree", "http://localhost:8888/", ""),
        ("http://localhost:8888/user/ann/assistant/mcp", "http://localhost:8888/user/ann/", ""),
        ("https://me:secret@hub.example/user/me/", "https://hub.example/user/me/", ""),
    ],
)
def test_an_address_is_understood_as_it_is_pasted(pasted: str, url: str, token: str) -> None:
    server = at(pasted)
    assert (server.url, server.token) == (url, token)


@pytest.mark.parametrize(
    "pasted", ["ftp://localhost", "http://", "http://localhost:99999/", "http://[::1", "file:///x"]
)
def test_what_is_no_address_is_refused(pasted: str) -> None:
    with pytest.raises(InvalidInput):
        at(pasted)


def test_a_running_servers_own_token_is_taken_for_its_address(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path, port=8888)
    assert at("http://localhost:8888/lab").token == "t8888"
    assert at("http://127.0.0.1:8888/lab").token == at("http://[::1]:8888/lab").token == "t8888"
    assert at("http://localhost:8888/lab", token="mine").token == "mine"
    assert at("https://localhost:8888/").token == at("http://localhost:8888/other/").token == ""
    assert at("http://localhost:9999/").token == ""
    assert at("http://example.com:8888/").token == ""


def test_a_token_from_outside_serves_a_server_that_has_none(runtime: Path, tmp_path: Path) -> None:
    put(runtime, tmp_path, port=1, token="")
    assert find(tmp_path, token="mine").headers == {"Authorization": "token mine"}
    put(runtime, tmp_path, port=1)
    assert find(tmp_path, token="stale").token == "t1"


def test_a_token_is_not_shown() -> None:
    assert "sesame" not in repr(Server("http://localhost:8888/", "sesame"))


@pytest.mark.parametrize(("path", "base"), [("", "/"), ("/", "/"), ("/x", "/x/"), ("/label/x/", "/label/x/")])
def test_a_base_url_stays(path: str, base: str) -> None:
    assert base_of(path) == base


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "a.localhost"])
def test_this_machine_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "example.com", "10.0.0.1", "0.0.0.0", "localhost.example.com", "notlocalhost"])
def test_another_machine_is_not_taken_for_this_one(host: str) -> None:
    assert not is_loopback(host)


def test_only_a_process_that_lives_is_alive() -> None:
    assert is_alive(os.getpid())
    assert is_alive(1)
    assert not is_alive(ended())
    assert not is_alive(0)
    assert not is_alive(2**80)
