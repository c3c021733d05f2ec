"""Logs: one JSON object per line on stderr, colours when a person is watching.

Everything passes through here, the standard library's loggers too. Values under names that hold
secrets are replaced before they are written.
"""

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, TextIO, cast

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, FilteringBoundLogger, Processor

REDACTED: Final = "[redacted]"
SECRET_NAMES: Final = frozenset({"code", "authorization"})
SECRET_ENDINGS: Final = frozenset({"password", "pin", "token", "secret"})  # `refresh_token` too
_DEEPEST = 6  # levels of nested values that are looked through; below that, only a type is written

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Id of the request being served; `web` sets it and every line written meanwhile carries it."""


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of this process from `level` up to `stream` (stderr when None)."""
    target = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        _add_request_id,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[Processor]
    if target.isatty():
        plain = structlog.dev.plain_traceback
        last = [redact, structlog.dev.ConsoleRenderer(exception_formatter=plain)]
    else:
        last = [
            # Local variables hold passwords, tokens and what belongs to people.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            redact,
            structlog.processors.JSONRenderer(serializer=_to_json),
        ]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _add_component],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    # The HTTP server and others bring handlers of their own; their lines come out once, like ours.
    for name in list(logging.root.manager.loggerDict):
        other = logging.getLogger(name)
        other.handlers = []
        other.propagate = True
    logging.captureWarnings(capture=True)


def get(name: str) -> FilteringBoundLogger:
    """The logger of one part of the program: `log.info("batch committed", rows=12)`."""
    return cast(FilteringBoundLogger, structlog.get_logger(component=name))


def redact(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Replace the values of secret names, at any depth; a processor of structlog."""
    return {name: _clean(name, value, 0) for name, value in event.items()}


def _clean(name: object, value: object, depth: int) -> object:
    if isinstance(name, str) and _is_secret(name.lower().replace("-", "_")):
        return REDACTED
    if isinstance(value, str | int | float | bool | None):
        return value
    if depth == _DEEPEST:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {key: _clean(key, item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item, depth + 1) for item in value]
    return value


def _is_secret(name: str) -> bool:
    return name in SECRET_NAMES or name.rpartition("_")[2] in SECRET_ENDINGS


def _add_component(_logger: object, _method: str, event: EventDict) -> EventDict:
    event["component"] = event["_record"].name
    return event


def _add_request_id(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    current = request_id.get()
    if current:
        event.setdefault("request_id", current)
    return event


def _to_json(event: EventDict, **_: object) -> str:
    try:
        return msgspec.json.encode(event, enc_hook=repr).decode()
    except (ValueError, TypeError, OverflowError):
        # Lone surrogates, numbers beyond 64 bits, odd keys: slower, but a log line never raises.
        return json.dumps({str(key): value for key, value in event.items()}, default=repr)
