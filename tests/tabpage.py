"""A notebook in a scripted window of JupyterLab: read, edited in one step, run in its real kernel, saved if clean."""

from __future__ import annotations

import copy
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from jupyter_assistant.notebooks.kernels.client import Client, Request
from jupyter_assistant.notebooks.kernels.collect import collected
from tests.tabwire import joined, trimmed

if TYPE_CHECKING:
    from tests.tabs import Window

Json = dict[str, Any]


class Refused(Exception):
    """What a request is answered with."""

    def __init__(self, code: str, **fields: Any) -> None:
        super().__init__(code)
        self.error = {"code": code, "text": fields.pop("text", f"It is {code}."), "hint": "", **fields}


class Page:
    """A notebook in a window."""

    def __init__(self, window: Window, path: str, **shown: Any) -> None:
        self.window = window
        self.name = uuid.uuid4().hex
        self.path = path
        self.cells: list[Json] = []
        self.metadata: Json = {}
        self.dirty = False
        self.kernel_id: str | None = None
        self.save_error = ""
        self.shown = {"read_only": False, "collaborative": False, "views": 1, "current": True, **shown}
        self._version = 0
        self._changed: dict[str, int] = {}
        self._said: str | None = None

    @property
    def file(self) -> Path:
        return self.window.server.root / self.path

    def load(self) -> None:
        """As JupyterLab opens it: every cell has an id."""
        content = json.loads(self.file.read_text("utf-8"))
        taken: set[str] = set()
        for cell in content["cells"]:
            if cell.get("id") in taken or not cell.get("id"):
                cell["id"] = uuid.uuid4().hex[:8]
            taken.add(cell["id"])
            cell["source"] = joined(cell["source"])
            for output in cell.get("outputs", []):
                output.update({"text": joined(output["text"])} if "text" in output else {})
        self.cells, self.metadata = content["cells"], content["metadata"]
        self.touch(*taken)

    def described(self) -> Json:
        return {
            "document": self.name,
            "path": self.path,
            "dirty": self.dirty,
            "kernel_id": self.kernel_id,
            **self.shown,
        }

    def touch(self, *names: str) -> None:
        self._version += 1
        self._changed.update(dict.fromkeys(names, self._version))

    def cell(self, name: str) -> Json:
        for cell in self.cells:
            if cell["id"] == name:
                return cell
        raise Refused("cell_not_found", cell_id=name)

    def type(self, name: str, source: str) -> None:
        """The user types."""
        self.cell(name)["source"] = source
        self.touch(name)
        self.mark(True)

    def mark(self, dirty: bool) -> None:
        if dirty != self.dirty:
            self.dirty = dirty
            self.window.show()

    def save(self) -> None:
        content = {"cells": self.cells, "metadata": self.metadata, "nbformat": 4, "nbformat_minor": 5}
        made: Any = nbformat.from_dict(content)
        nbformat.validate(made)
        self.file.write_text(nbformat.writes(made) + "\n", "utf-8")
        self.mark(False)

    def rename(self, path: str) -> None:
        self.file.rename(self.window.server.root / path)
        self.path = path
        self.window.show()

    # ------------------------------------------------------------ what it is asked

    def do(self, method: str, params: Json) -> Json | Refused:
        before = copy.deepcopy(self.cells)
        try:
            done: Json = getattr(self, f"_{method}")(params)
        except Refused as refused:
            self.cells = before
            return refused
        return done

    def _read(self, params: Json) -> Json:
        known = params.get("known")
        since = int(known) if known is not None and known == self._said else -1
        self._said = str(self._version)
        return {
            "revision": self._said,
            "path": self.path,
            "dirty": self.dirty,
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": self.metadata,
            "order": [cell["id"] for cell in self.cells],
            "cells": [trimmed(cell) for cell in self.cells if self._changed[cell["id"]] > since],
        }

    def _outputs(self, params: Json) -> Json:
        return {"outputs": {name: self.cell(name).get("outputs", []) for name in params["cell_ids"]}}

    def _save(self, params: Json) -> Json:
        self.save()
        return {"dirty": self.dirty}

    def _revert(self, params: Json) -> Json:
        if self.dirty:
            raise Refused("refused")
        self.load()
        return {"dirty": self.dirty}

    def _apply(self, params: Json) -> Json:
        if not self.dirty and all(edit["edit"] == "set_outputs" for edit in params["edits"]):
            self.load()
        for name, source in params["expected"].items():
            if self.cell(name)["source"] != source:
                raise Refused("stale", cell_id=name, source=self.cell(name)["source"])
        was = {cell["id"]: cell["source"] for cell in self.cells}
        named: dict[str, None] = {}
        inserted: list[str] = []
        for edit in params["edits"]:
            names = getattr(self, f"_do_{edit['edit']}")(edit)
            named.update(dict.fromkeys(names))
            inserted += [name for name in names if name not in was]
        clean = not self.dirty and not self.save_error
        self.touch(*named)
        self.mark(True)
        if clean:
            self.save()
        now = {cell["id"]: (index, cell["source"]) for index, cell in enumerate(self.cells)}
        cells = [
            {
                "cell_id": name,
                "before": was.get(name),
                "after": now[name][1] if name in now else None,
                "index": now[name][0] if name in now else None,
            }
            for name in named
        ]
        revision = self._said = str(self._version)
        failed = {"save_error": self.save_error} if self.save_error else {}
        done = {"revision": revision, "inserted": inserted, "cells": cells}
        return {**done, "dirty": self.dirty, "saved": clean, **failed}

    def _place(self, edit: Json) -> int:
        if "after" in edit:
            return self.cells.index(self.cell(edit["after"])) + 1
        return self.cells.index(self.cell(edit["before"])) if "before" in edit else len(self.cells)

    def _do_insert(self, edit: Json) -> list[str]:
        at, made = self._place(edit), []
        for new in edit["cells"]:
            more: Json = {"outputs": [], "execution_count": None} if new["cell_type"] == "code" else {}
            made.append({"id": uuid.uuid4().hex[:8], "metadata": {}, **new, **more})
        self.cells[at:at] = made
        return [str(cell["id"]) for cell in made]

    def _do_replace(self, edit: Json) -> list[str]:
        cell = self.cell(edit["cell_id"])
        cell["source"] = edit["source"]
        kind = edit.get("cell_type", cell["cell_type"])
        if kind != cell["cell_type"]:
            cell["cell_type"] = kind
            cell.pop("outputs", None)
            cell.pop("execution_count", None)
            cell.update({"outputs": [], "execution_count": None} if kind == "code" else {})
        return [edit["cell_id"]]

    def _do_move(self, edit: Json) -> list[str]:
        cell = self.cell(edit["cell_id"])
        self.cells.remove(cell)
        self.cells.insert(self._place(edit), cell)
        return [edit["cell_id"]]

    def _do_delete(self, edit: Json) -> list[str]:
        for name in edit["cell_ids"]:
            self.cells.remove(self.cell(name))
        return list(edit["cell_ids"])

    def _do_clear_outputs(self, edit: Json) -> list[str]:
        chosen = self.cells if edit["cell_ids"] is None else list(map(self.cell, edit["cell_ids"]))
        cleared = [cell for cell in chosen if cell["cell_type"] == "code" and cell["outputs"]]
        for cell in cleared:
            cell.update(outputs=[], execution_count=None)
        return [str(cell["id"]) for cell in cleared]

    def _do_set_outputs(self, edit: Json) -> list[str]:
        cell = self.cell(edit["cell_id"])
        if cell["cell_type"] != "code":
            raise Refused("refused")
        cell.update(outputs=edit["outputs"], execution_count=edit["execution_count"])
        return [edit["cell_id"]]

    # ------------------------------------------------------------ its kernel

    async def kernel(self) -> Client:
        """The connection to its kernel, which is started where there is none."""
        app = self.window.server.app
        known = [model for model in await app.session_manager.list_sessions() if model["path"] == self.path]
        name = self.path.rpartition("/")[2]
        model = (
            known[0] if known else await app.session_manager.create_session(path=self.path, name=name, type="notebook")
        )
        self.kernel_id = str(model["kernel"]["id"])
        client = Client(app.kernel_manager.get_kernel(self.kernel_id), known=lambda: True, log=app.log)
        await client.open()
        return client


class Run:
    """Cells on their way through a page's kernel."""

    def __init__(self, page: Page, number: int, names: list[str]) -> None:
        self.page, self.number, self.names = page, number, names
        self.states = dict.fromkeys(names, "waiting")
        self.cancelled = False
        self.request: Request | None = None

    async def cancel(self) -> None:
        self.cancelled = True
        if self.request is not None and self.request.begun.is_set() and not self.request.idle.is_set():
            kernels: Any = self.page.window.server.app.kernel_manager
            await kernels.interrupt_kernel(self.page.kernel_id)

    async def drive(self) -> None:
        clean, client = not self.page.dirty, await self.page.kernel()
        try:
            for name in self.names:
                await self._cell(client, name)
        finally:
            await client.close()
        if clean:
            self.page.save()
        cells = [self._told(name) for name in self.names]
        self.page.window.answer(self.number, {"cells": cells, "saved": clean})

    async def _cell(self, client: Client, name: str) -> None:
        if self.cancelled or "error" in self.states.values():
            self.states[name] = "not run"
            return
        cell, heard = self.page.cell(name), []
        content = {"silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": False}
        self.request = client.send("execute_request", {"code": cell["source"], "user_expressions": {}, **content})

        def hear(message: Any) -> None:
            heard.append(message.said)
            if self.states[name] == "waiting":
                self.states[name] = "running"
            cell["outputs"] = list(collected(heard))
            self.progress(name)

        self.request.hear = hear
        await self.request.begun.wait()
        self.states[name] = "running"
        self.progress(name)
        reply = await self.request.reply
        await self.request.idle.wait()
        cell["execution_count"] = reply.get("execution_count")
        self.states[name] = "done" if reply["status"] == "ok" else "error"
        self.page.touch(name)
        self.progress(name)
        client.forget(self.request)

    def progress(self, name: str) -> None:
        self.page.window.say(type="progress", id=self.number, cells=[self._told(name)])

    def _told(self, name: str) -> Json:
        cell = self.page.cell(name)
        return {
            "cell_id": name,
            "state": self.states[name],
            "execution_count": cell.get("execution_count"),
            "outputs": cell.get("outputs", []),
            "left_out": 0,
        }
