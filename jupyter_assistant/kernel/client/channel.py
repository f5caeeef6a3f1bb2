"""A kernel of a server, reached as a page reaches it: over a WebSocket; sync.

The law: a kernel started here ends here.
"""

from __future__ import annotations

import json
import time
import uuid
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from ...errors import AssistantError, KernelDead, ServerLost, ServerUnreachable
from .visit import Visit


def computed(visit: Visit, code: str, *, seconds: float = 30.0) -> float:
    """Start the server's default kernel, run ``code`` in it, end it; the seconds all took.

    Raises KernelDead (no kernel, or it does not answer), ServerUnreachable (its WebSocket is refused), ServerLost.
    """
    began = time.monotonic()
    started = visit.ask("POST", "api/kernels", {})
    if started.status != 201:
        raise KernelDead(
            f"The server could not start a kernel (status {started.status}).",
            "See the server's log; jupyter kernelspec list shows what is installed, pip install ipykernel adds Python.",
        )
    number = str(started.json["id"])
    try:
        _run(visit, number, code, began + seconds)
    finally:
        with suppress(AssistantError):
            visit.ask("DELETE", f"api/kernels/{number}")
    return time.monotonic() - began


def _run(visit: Visit, kernel: str, code: str, deadline: float) -> None:
    import websocket

    server, parts = visit.server, urlsplit(visit.server.url)
    address = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}{parts.path}api/kernels/{kernel}/channels"
    try:
        socket = websocket.create_connection(
            address,
            timeout=max(1.0, deadline - time.monotonic()),
            header=server.headers,
            origin=f"{parts.scheme}://{parts.netloc}",
            http_no_proxy=[parts.hostname] if server.is_here else None,
            sslopt={"cert_reqs": 0} if server.is_here else None,
        )
    except websocket.WebSocketBadStatusException as error:
        raise ServerUnreachable(
            f"The kernel's WebSocket is refused (status {error.status_code}).",
            "A proxy must pass the WebSocket on: nginx needs proxy_http_version 1.1 and the headers Upgrade and "
            "Connection; Caddy does it by itself.",
        ) from None
    except (websocket.WebSocketException, OSError):
        raise ServerUnreachable("The kernel's WebSocket cannot be reached.") from None
    try:
        sent = _execute(code)
        socket.send(json.dumps(sent))
        while not _is_reply(json.loads(socket.recv() or "{}"), sent):
            if time.monotonic() > deadline:
                raise websocket.WebSocketTimeoutException
    except websocket.WebSocketTimeoutException:
        raise KernelDead("The kernel started and does not answer.", "See the server's log.") from None
    except (websocket.WebSocketException, OSError, ValueError):
        raise ServerLost("The kernel's WebSocket was closed.") from None
    finally:
        socket.close()


def _execute(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "date": "",
        "version": "5.4",
    }
    content = {
        "code": code,
        "silent": True,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }


def _is_reply(message: dict[str, Any], sent: dict[str, Any]) -> bool:
    parent = (message.get("parent_header") or {}).get("msg_id")
    return message.get("channel") == "shell" and parent == sent["header"]["msg_id"]
