"""``ask`` and ``stream`` from a notebook's own code, waited for or on its running loop."""

from __future__ import annotations

from tests.asking import Kernel, gateway, kernel, lab, loaded
from tests.gateway import Gateway

__all__ = ["gateway", "kernel", "lab", "loaded"]


def test_the_python_api_answers_streams_and_waits_on_a_loop(kernel: Kernel) -> None:
    ran = kernel.run(
        "from jupyter_assistant import ask, stream\n"
        "answer = ask('of {total}?', model='mends')\n"
        "print(answer.code, [e.name for e in stream('x', model='prose')][-1])\n"
        "later = await ask.aio('y', model='prose')\n"
        "print(later.text, [e.name async for e in stream.aio('z', model='prose')][0])\n"
        "answer"
    )
    assert ran.text == "1 / 1 done\nNo value at all. run\n"
    assert ran.outputs[-1]["data"]["text/markdown"].startswith("You divide by zero.")


def test_a_failed_answer_raises_with_what_had_come(kernel: Kernel) -> None:
    ran = kernel.run(
        "from jupyter_assistant import ask\nfrom jupyter_assistant.errors import AnswerFailed\n"
        "try:\n    ask('x', model='cut')\nexcept AnswerFailed as error:\n    print(error.hint, bool(error.answer.text))"
    )
    assert ran.text.endswith("True\n")
    assert len(ran.text) > 10


def test_leaving_a_stream_stops_the_model(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run(
        "from jupyter_assistant import stream\n"
        "for event in stream('x', model='paced-2000-50'):\n    if event.name == 'token':\n        break\ndel event\n"
        "async for event in stream.aio('x', model='paced-2000-50', fresh=True):\n"
        "    if event.name == 'token':\n        break"
    )
    kernel.run("import gc; gc.collect()")
    gateway.wait(lambda g: g.open == 0)


def test_answers_that_are_asked_for_at_once_all_come(kernel: Kernel) -> None:
    ran = kernel.run(
        "import asyncio\nfrom jupyter_assistant import ask\n"
        "found = await asyncio.gather(*(ask.aio(f'{n}', model='echo', context='none') for n in range(5)))\n"
        "print([one.text for one in found])"
    )
    assert ran.text == "['0', '1', '2', '3', '4']\n"
