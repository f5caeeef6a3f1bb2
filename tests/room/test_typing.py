"""Somebody types while the server edits: both are kept, in whatever order they come."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_assistant.errors import StaleCell
from jupyter_assistant.notebooks import Document
from jupyter_assistant.notebooks.edits import Delete, Insert, Move, NewCell, Replace, Substitute
from jupyter_assistant.notebooks.live.merging import hunks
from tests.conftest import Server
from tests.document import THREE, code, hashed, notebook, sources
from tests.kernels import until
from tests.room.conftest import Join, Person

LINES = "\n".join(f"line_{number} = {number}" for number in range(20))


async def opened(server: Server, join: Join, *cells: Any) -> tuple[Document, Person]:
    (server.root / "a.ipynb").write_text(json.dumps(notebook(*cells) if cells else THREE), "utf-8")
    person = await join("a.ipynb")
    return await server.built.notebooks.open("a.ipynb"), person


async def test_an_edit_is_seen_by_everybody_and_comes_to_the_disk(server: Server, join: Join) -> None:
    document, person = await opened(server, join)
    other = await join("a.ipynb")
    wanted = ["x = 1\ny = 2", "# Ä title", "z = 3"]
    await document.apply([Replace("c", "z = 3")], {"c": hashed("x")})
    await person.sees(lambda: person.sources == wanted)
    await other.sees(lambda: other.sources == wanted)
    await person.sees_saved()
    assert json.loads((server.root / "a.ipynb").read_text("utf-8"))["cells"][2]["source"] == ["z = 3"]


async def test_text_that_is_not_saved_is_read(server: Server, join: Join) -> None:
    document, person = await opened(server, join)
    person.text(2).insert(0, "typed = ")
    await arrived(document, "c", "typed = x")
    snapshot = await document.read()
    assert (snapshot.home, snapshot.cells[2].source) == ("room", "typed = x")


async def test_what_is_typed_in_the_edited_cell_meanwhile_is_kept(server: Server, join: Join) -> None:
    document, person = await opened(server, join, code("a", LINES))
    text = person.text(0)
    await document.apply([Replace("a", LINES.replace("line_3 = 3", "changed_3 = 3").replace("line_15", "moved_15"))])
    assert "changed" not in str(text)  # the edit has not come to this person yet
    text.insert(str(text).index("line_9"), "typed = 9\n")
    text.insert(str(text).index("= 3\n"), "+")
    wanted = LINES.replace("line_3 = 3", "changed_3 += 3").replace("line_15", "moved_15")
    wanted = wanted.replace("line_9", "typed = 9\nline_9")
    await person.sees(lambda: person.sources == [wanted])
    await arrived(document, "a", wanted)


async def test_an_edit_made_from_what_was_there_before_somebody_typed_is_refused(server: Server, join: Join) -> None:
    document, person = await opened(server, join)
    person.text(2).insert(1, " + 1")
    await arrived(document, "c", "x + 1")
    with pytest.raises(StaleCell) as refused:
        await document.apply([Replace("c", "z")], {"c": hashed("x")})
    assert refused.value.source == "x + 1"
    await document.apply([Substitute("c", "x", "xyz")])
    await person.sees(lambda: person.sources[2] == "xyz + 1")


async def test_a_person_who_types_all_the_time_and_a_server_that_edits_lose_nothing(server: Server, join: Join) -> None:
    document, person = await opened(server, join, code("a", "# typed: \n# edited: "))
    typed, edited = "".join(map(chr, range(ord("a"), ord("z") + 1))), "0123456789"

    async def type_on() -> None:
        for letter in typed:
            text = person.text(0)
            text.insert(len(str(text).partition("\n")[0].encode()), letter)
            await asyncio.sleep(0)

    async def edit_on() -> None:
        for digit in edited:
            source = (await document.read()).cells[0].source
            line = source.splitlines()[1]
            await document.apply([Substitute("a", line, line + digit)])

    await asyncio.gather(type_on(), edit_on())
    wanted = f"# typed: {typed}\n# edited: {edited}"
    await person.sees(lambda: person.sources == [wanted])
    await arrived(document, "a", wanted)


async def test_cells_that_stay_keep_what_is_typed_while_others_come_go_and_move(server: Server, join: Join) -> None:
    document, person = await opened(server, join)
    text = person.text(0)
    await document.apply([Insert((NewCell("code", "new"),), before="a"), Delete(("b",)), Move("c", before="a")])
    text.insert(0, "typed = 0\n")
    wanted = ["new", "x", "typed = 0\nx = 1\ny = 2"]
    await person.sees(lambda: person.sources == wanted)
    assert [source for _, source in await sources(document)] == wanted


async def test_a_moved_cell_keeps_all_it_has(server: Server, join: Join) -> None:
    document, person = await opened(server, join)
    await document.apply([Move("a")])
    await person.sees(lambda: person.sources[-1].startswith("x = 1"))
    moved = person.document.ycells[2].to_py()
    assert (moved["id"], moved["execution_count"], moved["metadata"]["tags"]) == ("a", 3, ["ta"])
    assert person.outputs(2) == [{"name": "stdout", "output_type": "stream", "text": "one\ntwo\n"}]


TEXTS = st.text(st.sampled_from("ab\n\r é🎉"), max_size=60)


@given(before=TEXTS, after=TEXTS)
def test_hunks_make_the_one_text_of_the_other(before: str, after: str) -> None:
    made = before.encode()
    found = hunks(before, after)
    for start, end, text in reversed(found):
        made = made[:start] + text.encode() + made[end:]
    assert made.decode() == after
    assert all(left.end <= right.start for left, right in itertools.pairwise(found))


def test_a_hunk_is_no_larger_than_what_differs() -> None:
    assert hunks("é = 1\nsame\nz = 2", "é = 10\nsame\nz = 3") == ((6, 6, "0"), (16, 17, "3"))
    long = "".join(f"{number}\n" for number in range(5_000))
    assert hunks(long, long.replace("4000\n", "4\n4000\n")) == ((18_891, 18_891, "\n4"),)


async def arrived(document: Document, cell_id: str, source: str) -> None:
    """Wait until the server holds what somebody has typed."""

    async def holds() -> bool:
        return dict(await sources(document))[cell_id] == source

    await until(holds)
