"""Cells as a window of JupyterLab sends them: long texts as their two ends, payloads as a note."""

from __future__ import annotations

import json
from typing import Any

Json = dict[str, Any]
MAX_WHOLE, HEAD, TAIL = 20_000, 2_000, 4_000


def joined(text: object) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def trimmed(cell: Json) -> Json:
    if not cell.get("outputs"):
        return cell
    return {**cell, "outputs": list(map(_output, cell["outputs"]))}


def _output(output: Json) -> Json:
    chars: dict[str, int] = {}
    made = dict(output)
    if "text" in made:
        made["text"] = _text("text", joined(made["text"]), chars)
    if "traceback" in made:
        traceback = "\n".join(made["traceback"])
        made["traceback"] = [_text("traceback", traceback, chars)]
    if "data" in made:
        made["data"] = {mime: _payload(mime, value, chars) for mime, value in made["data"].items()}
    return {**made, "metadata": {**made.get("metadata", {}), "jupyter_assistant": {"chars": chars}}} if chars else made


def _text(name: str, text: str, chars: dict[str, int]) -> str:
    if len(text) <= MAX_WHOLE:
        return text
    chars[name] = len(text)
    return text[:HEAD] + text[-TAIL:]


def _payload(mime: str, value: Any, chars: dict[str, int]) -> Any:
    if mime.startswith("text/"):
        return _text(mime, joined(value), chars)
    text = value if isinstance(value, str) else json.dumps(value)
    chars[mime] = len(text)
    return text[:HEAD] if mime in ("image/png", "image/jpeg", "image/gif") else ""
