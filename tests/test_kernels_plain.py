"""A kernel of Python that is not IPython's: it runs cells as any other, and says what it cannot be asked."""

from __future__ import annotations

import json

import pytest

from jupyter_assistant.errors import KernelUnable, VariableNotFound
from tests.kernels import Place, jp_asyncio_loop, over, place, text_of  # noqa: F401  (fixtures)

PLAIN = """
import contextlib, io
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

class Plain(Kernel):
    implementation, implementation_version, banner = "plain", "1", "plain"
    language_info = {"name": "python", "mimetype": "text/x-python", "file_extension": ".py"}
    names = {}
    EXPRESSIONS = True

    def worth(self, expression):
        try:
            return {"status": "ok", "data": {"text/plain": repr(eval(expression, self.names))}, "metadata": {}}
        except Exception as error:
            return {"status": "error", "ename": type(error).__name__, "evalue": str(error), "traceback": []}

    async def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            exec(code, self.names)
        if not silent and said.getvalue():
            self.send_response(self.iopub_socket, "stream", {"name": "stdout", "text": said.getvalue()})
        asked = user_expressions if self.EXPRESSIONS and user_expressions else {}
        answers = {name: self.worth(expression) for name, expression in asked.items()}
        return {"status": "ok", "execution_count": self.execution_count, "payload": [], "user_expressions": answers}

IPKernelApp.launch_instance(kernel_class=Plain)
"""
KERNELS = {"plain": PLAIN, "plainer": PLAIN.replace("EXPRESSIONS = True", "EXPRESSIONS = False")}


@pytest.fixture(scope="module", params=KERNELS)
def path(request: pytest.FixtureRequest, place: Place) -> str:  # noqa: F811
    """A notebook of such a kernel, which answers expressions or takes no notice of them."""
    name = str(request.param)
    place.kernelspec(name, KERNELS[name])
    file = place.root / "kernelspecs" / name / "kernel.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "language": "python"}), "utf-8")
    return place.write("kept = 41 + 1", "print(kept, sorted(n for n in globals() if n[0] != '_'))", kernel=name)


async def test_it_says_what_it_cannot_tell_and_runs_on(place: Place, path: str) -> None:  # noqa: F811
    document = await place.notebooks.open(path)
    assert (await over(await place.kernels.run(document, ["cell-0"]))).state == "done"
    with pytest.raises(KernelUnable, match="could not be read"):
        await place.kernels.variables(path)
    with pytest.raises(KernelUnable, match="could not be read"):
        await place.kernels.inspect(path, "kept")
    with pytest.raises(VariableNotFound, match="says nothing about"):
        await place.kernels.documentation(path, "kept")
    after = await over(await place.kernels.run(document, ["cell-1"]))
    assert (after.state, text_of(after.cells[0].outputs)) == ("done", "42 ['kept']\n")
