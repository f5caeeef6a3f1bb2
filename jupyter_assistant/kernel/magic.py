"""``%ask`` and ``%%ask``: the assistant from a cell of any IPython.

The law: loading it costs next to nothing and unloading it undoes all; a question's text is the user's, so IPython
expands nothing in it; whatever goes wrong is a sentence in the output, never a traceback of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answer import Answer
    from .asking import Asked
    from .failure import Failures
    from .options import Line
    from .showing import View
    from .transcript import Transcript

NAME = "ask"
_LOADED = "jupyter_assistant"


class Interrupted(KeyboardInterrupt):
    """What was asked was interrupted, and with it what the cell would have done next."""

    def _render_traceback_(self) -> list[str]:
        return ["KeyboardInterrupt"]


class Ask:
    """The magic of one IPython: registered by ``load``, gone after ``unload``."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._failures: Failures | None = None
        self._completion = _completion(shell)

    def load(self) -> None:
        """Register the magic, its completion, and what lets a question end in ``?``."""
        from .transformer import keep_questions

        shell = self._shell

        def ask(line: str, cell: str | None = None) -> None:
            """Ask the assistant about this notebook: ``%ask question``; ``%ask help`` tells the rest."""
            self.run(line, cell)

        setattr(ask, "_ipython_magic_no_var_expand", True)  # noqa: B010  # a function declares no attributes
        shell.register_magic_function(ask, "line_cell", NAME)
        shell.input_transformers_cleanup.append(keep_questions)
        if (matchers := self._matchers) is not None:
            matchers.append(self._completion)
        shell.events.register("post_run_cell", self._ran)

    def unload(self) -> None:
        """Undo ``load``."""
        from .asking import forget
        from .transformer import keep_questions

        shell = self._shell
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop(NAME, None)
        if keep_questions in shell.input_transformers_cleanup:
            shell.input_transformers_cleanup.remove(keep_questions)
        if (matchers := self._matchers) is not None and self._completion in matchers:
            matchers.remove(self._completion)
        shell.events.unregister("post_run_cell", self._ran)
        forget()

    def run(self, text: str, body: str | None = None) -> None:
        """What the magic does."""
        from IPython.core.error import UsageError

        from ..errors import AssistantError, InvalidInput
        from .options import parse

        try:
            line = parse(text, body)
            if line.command:
                self._command(line)
            elif line.question:
                self._ask(line, line.question)
            else:
                self._help()
        except KeyboardInterrupt:
            raise Interrupted from None
        except InvalidInput as error:
            raise UsageError(f"{error.text} {error.hint}") from None
        except AssistantError as error:
            from .transcript import quoted

            self._say(quoted({"text": error.text, "hint": error.hint}))

    # ------------------------------------------------------------ questions

    def _ask(self, line: Line, text: str) -> Answer:
        from .interpolation import fill

        filled = fill(text, self._names())
        return self._answered(line, self._asked(line, filled.text, filled.variables))

    def _asked(self, line: Line, text: str, variables: Any = ()) -> Asked:
        from .asking import Asked
        from .cell import asking_cell

        text = f"{text}\n\n{_FORMS[line.format]}" if line.format in _FORMS else text
        cell = asking_cell(self._shell)
        return Asked(text, line.model, line.context, line.fresh, tuple(variables), cell, self._around(line.context))

    def _answered(self, line: Line, asked: Asked) -> Answer:
        """Ask, show the answer as it comes, and do with it what the options say."""
        from .answer import Answer
        from .asking import session
        from .cell import asks_alone
        from .showing import follow
        from .transcript import Transcript

        transcript = Transcript(format=line.format)
        interrupted = follow(lambda: session().ask(asked), transcript, self._view(line))
        answer = Answer.of(transcript)
        self._shell.user_ns["_answer"] = answer
        self._keep(line, transcript, answer)
        if interrupted and not asks_alone():
            raise Interrupted
        return answer

    def _keep(self, line: Line, transcript: Transcript, answer: Answer) -> None:
        whole = answer.reason == "stop"
        if line.insert and whole and line.command != "fix" and answer.code:
            self._shell.set_next_input(answer.code, replace=False)
        if line.format == "json" and (whole or line.var) and not transcript.has_value:
            kept = f"; `{line.var}` was not set" if line.var else ""
            self._say(f"> **The answer is not JSON{kept}.** `_answer.text` holds what came.")
        elif line.var and (answer.text or not answer.error):
            self._shell.user_ns[line.var] = answer.json() if line.format == "json" else transcript.result

    def _view(self, line: Line) -> View:
        from .showing import Nowhere, Output, Terminal

        view = Output(self._shell) if self._in_notebook else Terminal(line.format)
        return Nowhere(view) if line.quiet else view

    # ------------------------------------------------------------ commands

    def _command(self, line: Line) -> None:
        commands: dict[str, Callable[[Line], None]] = {
            "fix": self._fix,
            "again": self._again,
            "models": self._models,
            "use": self._use,
            "history": self._history,
            "help": lambda _: self._help(),
        }
        commands[line.command](line)

    def _fix(self, line: Line) -> None:
        """Explain the last error; the mended cell goes below."""
        from dataclasses import replace

        from . import failure
        from .transcript import first_code

        found = (self._failures.last if self._failures else None) or failure.before()
        if found is None:
            self._say("No cell has failed in this session.")
            return
        asked = replace(self._asked(line, found.question), failed=found.cell)
        answer = self._answered(line, asked)
        mended = first_code(answer.blocks)
        if answer.reason == "stop" and mended and mended != found.source:
            self._shell.set_next_input(mended, replace=False)

    def _again(self, line: Line) -> None:
        from dataclasses import replace

        from .asking import session
        from .cell import asking_cell

        last = session().last
        if last is None:
            self._say("Nothing has been asked in this session.")
            return
        cell = asking_cell(self._shell)
        self._answered(line, replace(last, model=line.model or last.model, fresh=line.fresh, cell=cell))

    def _models(self, line: Line) -> None:
        from .asking import session

        known = session().models()
        chosen = str(session().model or known.get("default") or "")
        names = [str(model["id"]) for model in known["models"]]
        used = next((name for name in names if chosen in (name, name.partition("/")[2])), chosen)
        lines = [
            f"- **`{name}`** (in use)" if name == used else f"- `{name}`" for name in dict.fromkeys([*names, used])
        ]
        self._say("\n".join([*lines, "", "`%ask use MODEL` takes another one for this session."]))

    def _use(self, line: Line) -> None:
        from .asking import session

        session().model = line.argument
        self._say(f"Questions of this session go to `{line.argument}`.")

    def _history(self, line: Line) -> None:
        from datetime import datetime

        from .asking import session
        from .transcript import plain

        found = session().conversations()
        current = session().conversation_id
        rows = [
            f"- {datetime.fromtimestamp(one['updated']):%Y-%m-%d %H:%M} "
            f"{plain(str(one['title']))}{' *(this session)*' if one['id'] == current else ''}"
            for one in found
        ]
        self._say("\n".join(rows) if rows else "There are no conversations yet.")

    def _help(self) -> None:
        from .options import HELP

        self._say(HELP)

    # ------------------------------------------------------------ the session

    @property
    def _in_notebook(self) -> bool:
        """Whether outputs are shown by a front-end; else this is a terminal."""
        return hasattr(self._shell, "kernel")

    @property
    def failures(self) -> Mapping[int, str]:
        """The errors of the session's cells, by their numbers."""
        return self._failures or {}

    def _names(self) -> dict[str, Any]:
        """The session's names, with the errors of its cells."""
        return {"Err": self.failures, **self._shell.user_ns}

    def _around(self, context: str) -> Any:
        """What the session knows of itself; wanted only where no server knows the notebook."""
        from . import finding

        if finding.server() is not None:
            return ()
        from .surroundings import items

        return items(self._shell.user_ns, self._shell.user_ns_hidden, self.failures, context)

    def _say(self, text: str) -> None:
        if self._in_notebook:
            self._shell.display_pub.publish({"text/markdown": text, "text/plain": text})
        else:
            from .showing import clean, unmarked

            print(clean(unmarked(text)))

    def _ran(self, result: Any) -> None:
        """A cell ran: remember its error."""
        if result.error_in_exec is None and result.error_before_exec is None:
            return
        if self._failures is None:
            from .failure import Failures

            self._failures = Failures()
        self._failures.take(result, self._shell)

    @property
    def _matchers(self) -> Any:
        """Where IPython takes completions from others, from its version 8.6 on; None in an older one."""
        return getattr(self._shell.Completer, "custom_matchers", None)


def _completion(shell: Any) -> Any:
    """The matcher of this magic's lines, which nothing else of IPython completes then."""

    def ask_matcher(context: Any) -> dict[str, Any]:
        from IPython.core.completer import SimpleCompletion

        from .completion import asked, complete

        line = asked(context.text_until_cursor)
        found = [] if line is None else complete(line, context.token, shell.user_ns)
        completions = [SimpleCompletion(text=word, type="magic") for word in found]
        return {"completions": completions, "suppress": line is not None, "ordered": True}

    setattr(ask_matcher, "matcher_api_version", 2)  # noqa: B010  # a function declares no attributes
    return ask_matcher


_FORMS = {
    "code": "Answer with code only, in one code block.",
    "json": "Answer with one JSON value only, in one ```json block.",
}
_ASKS: dict[int, Ask] = {}


def failures(shell: Any) -> Mapping[int, str]:
    """The errors that the magic has heard of in an IPython; none where it is not loaded."""
    ask = _ASKS.get(id(shell))
    return ask.failures if ask is not None else {}


def load(shell: Any) -> None:
    """``%load_ext jupyter_assistant``."""
    if id(shell) not in _ASKS:
        _ASKS[id(shell)] = Ask(shell)
        _ASKS[id(shell)].load()


def unload(shell: Any) -> None:
    """``%unload_ext jupyter_assistant``."""
    ask = _ASKS.pop(id(shell), None)
    if ask is not None:
        ask.unload()
