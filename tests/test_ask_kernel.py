"""``%ask`` in a real kernel of a real JupyterLab, against a scripted gateway."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from tests.asking import Kernel, Ran, call, gateway, kernel, lab, loaded, notebook_kernel, put
from tests.gateway import Gateway
from tests.lab import Lab

__all__ = ["gateway", "kernel", "lab", "loaded"]


def sent(gateway: Gateway) -> str:
    """The last message that the model was sent."""
    return gateway.posts[-1].question


def test_an_answer_streams_into_one_output_as_markdown(kernel: Kernel) -> None:
    ran = kernel.run("%ask --model markdown-200 what is total?", "cell-1")
    assert ran.status == "ok"
    assert ran.errors == []
    assert len(ran.outputs) == 1
    texts = [state for state in ran.states if state.startswith("## What")]
    assert len(texts) > 3
    assert all(len(a) <= len(b) for a, b in itertools.pairwise(texts))
    assert ran.markdown.startswith("## What `total` is\n\nIt is computed in **cell 2**")
    assert ran.markdown.rstrip().endswith(" s*")
    assert "*gateway/markdown-200 · " in ran.markdown
    assert ran.outputs[0]["data"]["text/plain"] == ran.markdown


def test_the_asking_cell_is_the_context_as_it_is_now(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run("wide = 'not saved'\n%ask what is wide?", "cell-1")
    assert "wide = 'not saved'" in sent(gateway)
    assert "the active cell" in sent(gateway)
    assert "total = 41" in sent(gateway)
    assert "wide str" in sent(gateway)
    assert sent(gateway).endswith("what is wide?")


def test_a_question_may_end_in_a_question_mark_and_hold_braces(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run("%ask is {'a': 1} with {total} and $total a dict??", "cell-1")
    assert sent(gateway).endswith("is {'a': 1} with 41 and 41 a dict??")
    kernel.run("%%ask --fresh\nwhy does d['a']?\n{total}", "cell-1")
    assert sent(gateway).endswith("why does d['a']?\n41")


def test_values_errors_and_results_go_along(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run("import pandas as pd; sales = pd.DataFrame({'city': ['Rome'] * 40})")
    failed = kernel.run("1 / 0")
    kernel.run(f"%ask what is {{sales}} and {{Err[{failed.count}]}}?", "cell-1")
    assert sent(gateway).endswith(f"what is `sales` and `Err[{failed.count}]`?")
    assert "In the kernel now, sales DataFrame 40 x 1" in sent(gateway)
    assert "city: " in sent(gateway)
    assert "ZeroDivisionError: division by zero" in sent(gateway)


@pytest.mark.parametrize(
    ("context", "there", "missing"),
    [
        ("none", [], ["total = 41", "y = 2"]),
        ("cell", ["y = 2"], ["total = 41"]),
        ("notebook", ["y = 2", "total = 41"], []),
        ("workspace", ["y = 2", "total = 41", "other notebooks"], []),
    ],
)
def test_context_says_what_goes_with_the_question(
    kernel: Kernel, gateway: Gateway, context: str, there: list[str], missing: list[str]
) -> None:
    kernel.run(f"y = 2\n%ask --context {context} tell me of it", "cell-1")
    assert all(part in sent(gateway) for part in there), sent(gateway)
    assert not any(part in sent(gateway) for part in missing), sent(gateway)


def test_the_conversation_goes_on_until_a_fresh_one_and_is_the_servers(kernel: Kernel, lab: Lab) -> None:
    for line in ("first question", "second question", "--fresh third question"):
        kernel.run(f"%ask {line}", "cell-1")
    newest, before = call(lab, "GET", "assistant/conversations")["conversations"][:2]
    said = {one["id"]: call(lab, "GET", f"assistant/conversations/{one['id']}")["messages"] for one in (newest, before)}
    asked = {key: [m["parts"][0]["text"] for m in found if m["role"] == "user"] for key, found in said.items()}
    assert asked == {newest["id"]: ["third question"], before["id"]: ["first question", "second question"]}
    listed = kernel.run("%ask history").markdown.splitlines()
    assert "third question *(this session)*" in listed[0]
    assert "first question" in listed[1]


def test_a_deleted_conversation_is_begun_anew(kernel: Kernel, lab: Lab) -> None:
    kernel.run("%ask one", "cell-1")
    newest = call(lab, "GET", "assistant/conversations")["conversations"][0]["id"]
    call(lab, "DELETE", f"assistant/conversations/{newest}")
    assert "computed" in kernel.run("%ask two", "cell-1").markdown
    assert call(lab, "GET", "assistant/conversations")["conversations"][0]["id"] != newest


def test_code_json_var_insert_and_quiet_do_what_they_say(kernel: Kernel) -> None:
    ran = kernel.run("%ask --model mends -f code --insert --var found mend it")
    assert ran.markdown.startswith("```python\n1 / 1\n```\n\n*gateway/mends")
    assert ran.next_inputs == ["1 / 1"]
    assert kernel.value("found") == "1 / 1"
    ran = kernel.run("%ask --model json -f json --var data --quiet which cities?")
    assert ran.outputs == []
    assert kernel.value("data") == {"cities": ["Rome"]}
    assert kernel.value("[_answer.model, _answer.reason]") == ["gateway/json", "stop"]
    ran = kernel.run("%ask --model prose -f json --var nothing which?")
    assert "is not JSON" in ran.markdown
    assert kernel.value("'nothing' in globals()") is False


def test_fix_explains_the_last_error_and_puts_the_mended_cell_below(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run("def half(n):\n    return n / 0\nhalf(3)")
    ran = kernel.run("%ask fix --model mends", "cell-1")
    assert "You divide by zero" in ran.markdown
    assert ran.next_inputs == ["1 / 1"]
    asked = sent(gateway)
    assert "return n / 0\nhalf(3)" in asked
    assert "ZeroDivisionError: division by zero" in asked
    assert "\x1b" not in asked
    assert "site-packages" not in asked


def test_fix_names_the_error_first_and_shows_nothing_of_ipythons_own(kernel: Kernel, gateway: Gateway) -> None:
    failed = kernel.run("def half(:\n    pass")
    kernel.run("%ask fix --context none", "cell-1")
    assert sent(gateway).startswith(f"Why does cell [{failed.count}] raise SyntaxError: ")
    assert "site-packages" not in sent(gateway)
    assert "def half(:" in sent(gateway).partition("The error:")[2]


def test_fix_knows_the_failed_cell_before_it_is_saved(kernel: Kernel) -> None:
    kernel.run("1 / 0", "cell-0")
    ran = kernel.run("%ask fix --model offline/responder", "cell-1")
    assert "[cell 1] fails with `ZeroDivisionError: division by zero`" in ran.markdown


def test_only_whole_python_is_inserted(kernel: Kernel) -> None:
    assert kernel.run("%ask --insert --model mixed give").next_inputs == ["a = 1\n\nb = 2"]
    kernel.run("1 / 0")
    assert kernel.run("%ask fix --insert --model mixed").next_inputs == ["a = 1"]
    assert kernel.run("%ask --insert --model cut-code give").next_inputs == []


def test_quiet_does_not_hide_a_failure(kernel: Kernel) -> None:
    ran = kernel.run("kept = 'as it was'\n%ask --quiet --var kept --model status-401 give")
    assert "> **" in ran.markdown
    assert kernel.value("kept") == "as it was"


def test_an_answer_that_is_no_json_is_shown_as_it_is(kernel: Kernel) -> None:
    ran = kernel.run("%ask -f json --model prose which?")
    assert ran.markdown.startswith("No value at all.\n\n*gateway/prose")
    assert ran.markdown.endswith("> **The answer is not JSON.** `_answer.text` holds what came.")


def test_a_cell_that_captures_gets_the_whole_answer_once(kernel: Kernel) -> None:
    kernel.run("%%capture caught\n%ask --model markdown-200 what is total?")
    assert kernel.value("len(caught.outputs)") == 1
    assert kernel.value("'It is computed' in caught.outputs[0].data['text/markdown']") is True


def test_again_asks_the_same_with_another_model(kernel: Kernel, gateway: Gateway) -> None:
    kernel.run("%ask --model prose what is {total}?")
    kernel.run("%ask again --model mends")
    assert (gateway.posts[-1].model, sent(gateway).splitlines()[-1]) == ("mends", "what is 41?")


def test_models_are_listed_and_chosen_for_the_session(kernel: Kernel, gateway: Gateway) -> None:
    assert "- **`gateway/markdown`** (in use)" in kernel.run("%ask models").markdown
    kernel.run("%ask use prose")
    assert kernel.run("%ask hello").markdown.startswith("No value at all.")
    listed = kernel.run("%ask models").markdown
    assert "- **`gateway/prose`** (in use)" in listed or "- **`prose`** (in use)" in listed
    assert listed.count("(in use)") == 1
    assert any(request.path.endswith("/models") for request in gateway.requests)
    assert "offline/responder" in kernel.complete("%ask --model ")


def test_a_wrong_option_is_one_sentence_and_an_error_says_what_to_do(kernel: Kernel) -> None:
    ran = kernel.run("%ask --nope what?")
    assert "UsageError: --nope: is not an option" in ran.text
    ran = kernel.run("%ask --model nowhere-to-be-found what?")
    assert ran.status == "ok"
    assert "> **" in ran.markdown
    assert "`%ask models` lists" in ran.markdown


def test_an_interrupt_stops_the_model_and_keeps_the_text(kernel: Kernel, gateway: Gateway, lab: Lab) -> None:
    left = len(gateway.disconnects)

    def interrupt(ran: Ran) -> bool:
        if "word5" not in ran.markdown:
            return False
        kernel.interrupt()
        return True

    ran = kernel.run("%ask --model paced-2000-50 go on\nprint('and on')", "cell-1", during=interrupt)
    assert ran.status == "ok"
    assert ran.errors == []
    assert "word5" in ran.markdown
    assert "\n\n*(stopped)*\n\n" in ran.markdown
    assert "and on" in ran.text
    gateway.wait(lambda g: len(g.disconnects) > left and g.open == 0)
    newest = call(lab, "GET", "assistant/conversations")["conversations"][0]
    messages = call(lab, "GET", f"assistant/conversations/{newest['id']}")["messages"]
    assert messages[-1]["state"] == "cancelled"
    assert "word5" in json.dumps(messages[-1]["parts"])


def test_an_interrupt_before_the_first_event_leaves_nothing_running(kernel: Kernel, gateway: Gateway) -> None:
    def interrupt(ran: Ran) -> bool:
        if ran.markdown != "*…*":
            return False
        kernel.interrupt()
        return True

    ran = kernel.run("%ask --fresh --model paced-2000-50 go on", "cell-1", during=interrupt)
    assert (ran.status, ran.errors) == ("ok", [])
    assert "(stopped)" in ran.markdown
    gateway.wait(lambda g: g.open == 0)


def test_nothing_hostile_of_an_answer_reaches_the_output(kernel: Kernel) -> None:
    markdown = kernel.run("%ask --model evil look").markdown
    assert "![" not in markdown
    assert "<img" not in markdown
    assert "https://evil.example/?q=1" in markdown


def test_a_renamed_notebook_is_asked_about_by_its_new_name(lab: Lab, gateway: Gateway) -> None:
    put(lab.root / "old.ipynb", "renamed = 1")
    with notebook_kernel(lab, "old.ipynb") as kernel:
        kernel.run("%load_ext jupyter_assistant")
        call(lab, "PATCH", "api/contents/old.ipynb", {"path": "new.ipynb"})
        call(lab, "PATCH", f"api/sessions/{kernel.session_id}", {"path": "new.ipynb"})
        assert "No value" in kernel.run("%ask --model prose of what?", "cell-0").markdown
        assert '"new.ipynb"' in sent(gateway)


def test_no_key_and_no_thread_is_in_the_kernel(kernel: Kernel) -> None:
    kernel.run("%ask what?", "cell-1")
    assert kernel.value("'sk-the-gateways-own-key' in str(dict(__import__('os').environ))") is False
    threads = "[t.name for t in __import__('threading').enumerate() if 'assistant' in t.name]"
    assert kernel.value(threads) == []
    sockets = "[c for c in __import__('psutil').Process().net_connections('tcp') if c.raddr and c.raddr.port == %d]"
    assert kernel.value(sockets % kernel.lab.port) == []


def test_the_kernels_secret_is_in_no_log_and_reaches_no_model(kernel: Kernel, gateway: Gateway, lab: Lab) -> None:
    name = "JUPYTER_ASSISTANT_KERNEL_TOKEN"
    secret = kernel.value(f"__import__('os').environ[{name!r}]")
    assert len(secret) >= 32
    kernel.run(f"leak = __import__('os').environ[{name!r}]\n%ask what is in {{leak}} and $leak?", "cell-1")
    assert secret not in gateway.posts[-1].body.decode()
    assert secret not in Path(lab.log).read_text(errors="replace")


def test_completion_offers_options_values_and_variables(kernel: Kernel) -> None:
    assert kernel.complete("%ask --mod") == ["--model"]
    assert kernel.complete("told = %ask --mod") == ["--model"]
    assert kernel.complete("%ask --context ") == ["none", "cell", "notebook", "workspace"]
    assert kernel.complete("%ask what is {tot") == ["total"]
    assert kernel.complete("%ask hist") == ["history"]
    assert "total" in kernel.complete("tot")


def test_unloading_undoes_all(lab: Lab) -> None:
    look = (
        "_shell = get_ipython(); _seen = [sorted(_shell.magics_manager.magics['line']), "
        "sorted(_shell.magics_manager.magics['cell']), len(_shell.input_transformers_cleanup), "
        "len(_shell.Completer.custom_matchers), len(_shell.events.callbacks['post_run_cell'])]"
    )
    with notebook_kernel(lab, "unloaded.ipynb") as kernel:
        kernel.run(look)
        before = kernel.value("_seen")
        kernel.run("%load_ext jupyter_assistant\n%reload_ext jupyter_assistant")
        kernel.run(look)
        assert kernel.value("_seen") != before
        kernel.run("%ask hello")
        kernel.run("%unload_ext jupyter_assistant")
        kernel.run(look)
        assert kernel.value("_seen") == before
