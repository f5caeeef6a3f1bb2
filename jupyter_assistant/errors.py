"""Every error the assistant raises on purpose, as one tree.

The law: an error says what happened (``text``) and what to do next (``hint``), to a person or to a model, and
never holds a key, a token or an absolute path. The domain raises these; ``server/handlers`` alone turns them
into HTTP statuses, and ``assistant`` alone turns them into ``error`` events.

::

    AssistantError
    ├── InvalidInput             a field of a request is wrong; names the field
    ├── NotFound                 unknown, or somebody else's
    ├── Gone                     was there, is no longer kept
    ├── TooLarge                 a body or a text over its limit
    ├── ConversationBusy         an answer is still running in this conversation
    ├── StoreUnavailable         conversations cannot be read or written just now
    ├── SettingsUnavailable      the user's settings cannot be read or written just now
    ├── Misconfigured            a wrong setting keeps the assistant off; says which
    ├── NotebookError
    │   ├── PathRefused          outside the server's root, hidden, or not a path
    │   ├── NotebookNotFound
    │   ├── NotebookUnreadable   not JSON, not a notebook, too new, too deep
    │   ├── NotebookBusy         is being saved and did not come to rest
    │   ├── NotebookExists       a new notebook would take the place of one that is there
    │   ├── CellNotFound         no cell by that id
    │   ├── StaleCell            the cell has changed since it was read; says its source now
    │   ├── EditRefused          the edit cannot be made: text not found or found twice, old format, bad cells
    │   ├── TabUnresponsive      the JupyterLab tab that has the notebook open does not answer
    │   ├── TabClosed            the tab was closed in the middle of it
    │   └── SaveFailed           the disk or a save hook refused; the notebook is as it was
    ├── KernelError
    │   ├── KernelNotFound       the notebook has no kernel, or there is none by that id
    │   ├── KernelDead           the kernel ended while it was needed
    │   ├── KernelBusy           the kernel works for the user
    │   ├── KernelUnable         this language's kernel cannot say that
    │   ├── VariableNotFound     the kernel knows no such name
    │   └── ExecutionNotFound    unknown, or no longer kept
    ├── ToolError                a tool's result that is an error; carries the content there is
    ├── ServerNotFound           no running Jupyter server to ask, or too many; for commands and kernels
    ├── ServerUnreachable        the Jupyter server takes no connection: nothing was sent
    ├── ServerRefused            the Jupyter server does not let the request in, or cannot answer it
    ├── ServerLost               the connection ended inside an exchange: it may have been done
    ├── AnswerFailed             an answer that ended in an error; carries what had come of it
    └── ProviderError            the model's side
        ├── NoModel              no model is configured or none by that name is known
        ├── KeyRejected          401
        ├── PermissionDenied     403
        ├── EndpointNotFound     404: wrong base URL, often without /v1
        ├── ModelNotFound        404: the endpoint does not know the model
        ├── RateLimited          429
        ├── QuotaExceeded        402, or 429 that says so
        ├── ContextTooLong       the request does not fit the model
        ├── RequestRejected      400, 413, 422 and other refusals
        ├── GatewayDown          refused, no such host, TLS, no connection within 10 s
        ├── GatewayTimeout       connected, then silent for longer than the idle timeout
        ├── GatewayFailed        5xx
        ├── NotAGateway          answered, but not as an OpenAI-compatible endpoint
        └── GatewayCut           the stream ended inside an answer; its text is kept
"""

from __future__ import annotations

from typing import ClassVar


class AssistantError(Exception):
    """What went wrong (``text``), what to do next (``hint``); ``retry_after`` in seconds where waiting helps."""

    code: ClassVar[str] = "failed"
    default_hint: ClassVar[str] = "Try again; the server's log has the details."

    def __init__(self, text: str, hint: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint or self.default_hint
        self.retry_after = retry_after


class InvalidInput(AssistantError):
    """A request's field is wrong; ``field`` names it as the client wrote it (``notebook.path``)."""

    code = "invalid"
    default_hint = "Correct the field and send the request again."

    def __init__(self, field: str, text: str, hint: str = "") -> None:
        super().__init__(f"{field}: {text}", hint)
        self.field = field


class NotFound(AssistantError):
    code = "not_found"
    default_hint = "Check the id; it may have been deleted."


class Gone(AssistantError):
    """Was there once. ``snapshot`` is what is still known of it, JSON-able."""

    code = "gone"
    default_hint = "Take the snapshot and read on from there."

    def __init__(self, text: str, snapshot: dict[str, object], hint: str = "") -> None:
        super().__init__(text, hint)
        self.snapshot = snapshot


class TooLarge(AssistantError):
    code = "too_large"
    default_hint = "Send less at once."


class ConversationBusy(AssistantError):
    """One answer at a time in a conversation; ``run_id`` is the one that is running."""

    code = "conversation_busy"
    default_hint = "Wait for the answer, stop it, or start another conversation."

    def __init__(
        self, run_id: str, text: str = "An answer is still running in this conversation.", hint: str = ""
    ) -> None:
        super().__init__(text, hint)
        self.run_id = run_id


class StoreUnavailable(AssistantError):
    code = "store_unavailable"
    default_hint = "Check the free space and the permissions of the data directory; chatting still works."


class SettingsUnavailable(AssistantError):
    code = "settings_unavailable"
    default_hint = "Check the permissions and the content of the settings files in Jupyter's data directory."


class Misconfigured(AssistantError):
    code = "misconfigured"
    default_hint = "Correct the setting and start the server again."


class NotebookError(AssistantError):
    code = "notebook_error"


class PathRefused(NotebookError):
    code = "path_refused"
    default_hint = "Use a path of a notebook inside the server's root folder, relative to it."


class NotebookNotFound(NotebookError):
    code = "notebook_not_found"
    default_hint = "Check the path; the notebook may have been renamed, moved or deleted."


class NotebookUnreadable(NotebookError):
    code = "notebook_unreadable"
    default_hint = "Open the file in a text editor, or restore it from a checkpoint; it was left as it is."


class NotebookBusy(NotebookError):
    code = "notebook_busy"
    default_hint = "The notebook was being saved the whole time; try again in a moment."


class NotebookExists(NotebookError):
    code = "notebook_exists"
    default_hint = "Choose another path, or edit the notebook that is there."


class CellNotFound(NotebookError):
    code = "cell_not_found"
    default_hint = "Read the notebook again: cells may have been moved, deleted or given new ids."


class StaleCell(NotebookError):
    """The cell is not what the edit was made from. ``source`` and ``hash`` are what it holds now."""

    code = "stale_cell"
    default_hint = "Look at the current source, make the edit from it, and send its hash."

    def __init__(self, text: str, *, cell_id: str, source: str, hash: str) -> None:
        super().__init__(text)
        self.cell_id = cell_id
        self.source = source
        self.hash = hash


class EditRefused(NotebookError):
    code = "edit_refused"
    default_hint = "Read the cell again and correct the edit; nothing was changed."


class TabUnresponsive(NotebookError):
    code = "tab_unresponsive"
    default_hint = "Look at the notebook's tab in the browser, reload the page if it hangs, then try again."


class TabClosed(NotebookError):
    code = "tab_closed"
    default_hint = "Read the notebook again; its file is what there is now."


class SaveFailed(NotebookError):
    code = "save_failed"
    default_hint = "Check the free space and the permissions of the folder; the notebook is as it was."


class KernelError(AssistantError):
    code = "kernel_error"


class KernelNotFound(KernelError):
    code = "kernel_not_found"
    default_hint = "Run a cell of the notebook: that starts its kernel."


class KernelDead(KernelError):
    code = "kernel_dead"
    default_hint = "Restart the kernel, then run again what the next cells need; its variables are gone."


class KernelBusy(KernelError):
    code = "kernel_busy"
    default_hint = "Wait until the kernel is free, or interrupt it."


class KernelUnable(KernelError):
    code = "kernel_unable"
    default_hint = "Run code in the notebook's own language instead."


class VariableNotFound(KernelError):
    code = "variable_not_found"
    default_hint = "List the variables; the cell that makes it may not have run."


class ExecutionNotFound(KernelError):
    code = "execution_not_found"
    default_hint = "Check the execution_id; ended executions are kept for a while only."


class ToolError(AssistantError):
    """A tool's result that is an error. ``content`` is what the tool had by then, to be shown before the text."""

    code = "tool_error"
    default_hint = "Correct the arguments and call the tool again."

    def __init__(self, text: str, hint: str = "", content: tuple[object, ...] = ()) -> None:
        super().__init__(text, hint)
        self.content = content


class ServerNotFound(AssistantError):
    code = "server_not_found"
    default_hint = "Start Jupyter in this folder, or name a running server."


class ServerUnreachable(AssistantError):
    code = "server_unreachable"
    default_hint = "Start Jupyter again, then repeat the request."


class ServerRefused(AssistantError):
    """``status`` is the HTTP status of the refusal."""

    code = "server_refused"
    default_hint = "See the log of the Jupyter server."

    def __init__(self, status: int, text: str, hint: str = "") -> None:
        super().__init__(text, hint)
        self.status = status


class ServerLost(AssistantError):
    code = "server_lost"
    default_hint = "It may have been done all the same: look before you repeat it."


class AnswerFailed(AssistantError):
    """``answer`` is what had come of it by then."""

    code = "answer_failed"
    default_hint = "Ask again."

    def __init__(self, text: str, hint: str = "", *, answer: object) -> None:
        super().__init__(text, hint)
        self.answer = answer


class ProviderError(AssistantError):
    code = "provider_error"
    default_hint = "Try again, or choose another model."


class NoModel(ProviderError):
    code = "no_model"
    default_hint = "Choose a model in the menu under the question, or set JUPYTER_ASSISTANT_MODEL and start again."


class KeyRejected(ProviderError):
    code = "key_rejected"
    default_hint = "Connect with a valid key, or set JUPYTER_ASSISTANT_API_KEY and start the server again."


class PermissionDenied(ProviderError):
    code = "permission_denied"
    default_hint = "Choose a model this key may use."


class EndpointNotFound(ProviderError):
    code = "endpoint_not_found"
    default_hint = "Check the base URL; most end in /v1."


class ModelNotFound(ProviderError):
    code = "model_not_found"
    default_hint = "Choose a model the endpoint has."


class RateLimited(ProviderError):
    code = "rate_limited"
    default_hint = "Wait a moment and try again."


class QuotaExceeded(ProviderError):
    code = "quota_exceeded"
    default_hint = "Raise the limit with the provider, or choose another model."


class ContextTooLong(ProviderError):
    code = "context_too_long"
    default_hint = "Start a new conversation, or lower “Context, in tokens” in the assistant's settings."


class RequestRejected(ProviderError):
    code = "request_rejected"
    default_hint = "Choose another model."


class GatewayDown(ProviderError):
    code = "gateway_down"
    default_hint = "Check that the endpoint runs and that its address is right, then try again."


class GatewayTimeout(ProviderError):
    code = "gateway_timeout"
    default_hint = "Try again; the model may be loading or overloaded."


class GatewayFailed(ProviderError):
    code = "gateway_failed"
    default_hint = "Try again in a moment; the fault is on the endpoint's side."


class NotAGateway(ProviderError):
    code = "not_a_gateway"
    default_hint = "Check the base URL: it must be that of an OpenAI-compatible API, often ending in /v1."


class GatewayCut(ProviderError):
    code = "gateway_cut"
    default_hint = "Ask again to go on; what had arrived is kept."
