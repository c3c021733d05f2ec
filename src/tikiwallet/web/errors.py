"""Problems as HTTP: the one table from code to status, and RFC 9457 documents.

Nothing that is not in a Problem leaves the service: a bug becomes `internal_error`, and its story
goes to the log under the request's id.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from tikiwallet import logs
from tikiwallet.errors import InvalidRequest, NotFound, Problem

STATUS: Final[dict[str, int]] = {
    # the request itself
    "malformed_request": 400,
    "headers_too_large": 431,
    "malformed_json": 400,
    "idempotency_key_missing": 400,
    "idempotency_key_invalid": 400,
    "bad_cursor": 400,
    "invalid_request": 422,
    "not_found": 404,
    "unknown_recipient": 404,
    "not_yet_sealed": 409,
    "note_unreadable": 404,
    "note_device_unknown": 422,
    "note_key_invalid": 422,
    "note_key_taken": 409,
    "note_keys_full": 409,
    "method_not_allowed": 405,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "idempotency_key_reused": 422,
    "unknown_currency": 422,
    "unknown_method": 422,
    # who asks
    "token_missing": 401,
    "token_invalid": 401,
    "token_expired": 401,
    "token_revoked": 401,
    "scope_missing": 403,
    "csrf_failed": 403,
    "invalid_credentials": 401,
    "second_factor_required": 401,
    "second_factor_unknown": 401,
    "second_factor_unavailable": 422,
    "second_factor_off": 409,
    "totp_not_begun": 409,
    "factor_code_required": 403,
    "reauthentication_required": 403,
    "passkey_invalid": 422,
    "passkey_exists": 409,
    "passkeys_full": 409,
    "no_passkey": 409,
    "confirmation_invalid": 403,
    "refresh_invalid": 401,
    "refresh_reused": 401,
    "service_token_refused": 422,
    "client_refused": 422,
    "username_taken": 409,
    "username_invalid": 422,
    "username_reserved": 422,
    "phone_invalid": 422,
    "name_invalid": 422,
    "password_weak": 422,
    "password_wrong": 403,
    "recovery_invalid": 422,
    "recovery_not_ready": 409,
    "recovery_factor_required": 403,
    "code_wrong": 422,
    "code_expired": 422,
    "oidc_ticket_invalid": 422,
    "oidc_state_invalid": 403,
    "oidc_denied": 403,
    "oidc_refused": 403,
    "oidc_unavailable": 503,
    "identity_taken": 409,
    "identity_last": 409,
    "code_not_sent": 503,
    "phone_unreachable": 422,
    "sign_in_unavailable": 503,
    "lower_limit": 403,
    "pin_required": 403,
    "pin_wrong": 403,
    "pin_locked": 403,
    "pin_not_set": 403,
    "pin_weak": 422,
    "pin_malformed": 422,
    "current_pin_required": 403,
    # offline money
    "offline_devices_full": 409,
    "offline_device_revoked": 409,
    "offline_device_frozen": 409,
    "offline_limits_invalid": 422,
    "pass_open": 409,
    "pass_too_large": 422,
    "pass_key_invalid": 422,
    "pass_proof_invalid": 422,
    "pass_key_used": 409,
    "too_many_requests": 429,
    "refused_too_often": 429,
    # what the ledger refuses
    "insufficient_funds": 402,
    "abandoned": 409,
    "unknown_transaction": 409,
    "unknown_account": 409,
    "account_exists": 409,
    "same_account": 409,
    "currency_mismatch": 409,
    "account_closed": 409,
    "account_frozen": 409,
    "hold_expired": 409,
    "nothing_left": 409,
    "exceeds_remainder": 409,
    "not_reversible": 409,
    "limit_exceeded": 409,
    "balance_not_zero": 409,
    "debt_open": 409,
    "overflow": 409,
    "rejected": 409,
    # us
    "internal_error": 500,
    "overloaded": 503,
    "unavailable": 503,
}
MEDIA_TYPE: Final = "application/problem+json"
_RESERVED: Final = frozenset({"type", "title", "status", "code", "detail", "instance"})
_CHALLENGED: Final = frozenset({"token_invalid", "token_expired", "token_revoked"})
_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)
_log = logs.get("web")


class MalformedJson(Problem):
    code = "malformed_json"
    title = "The body is not JSON"


class BodyTooLarge(Problem):
    code = "body_too_large"
    title = "The body is larger than this address takes: 64 KiB, settlements 256"


class MalformedRequest(Problem):
    code = "malformed_request"
    title = "This is not an HTTP/1.1 request, or could be read in more than one way"


class HeadersTooLarge(Problem):
    code = "headers_too_large"
    title = "The address and headers of a request have room for 32 KiB and 100 headers"


class MethodNotAllowed(Problem):
    code = "method_not_allowed"
    title = "This address does not take that method"


class UnsupportedMediaType(Problem):
    code = "unsupported_media_type"
    title = "The body must be JSON, with Content-Type: application/json"


class InternalError(Problem):
    code = "internal_error"
    title = "Something went wrong on our side; it has been noted under this request's id"


_BY_HTTP_STATUS: Final[dict[int, type[Problem]]] = {
    400: MalformedJson,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
}


def status_of(problem: Problem) -> int:
    """The HTTP status of a problem; one without a row in the table is a bug of ours, 500."""
    return STATUS.get(problem.code, 500)


def document(problem: Problem, request_id: str) -> dict[str, object]:
    """The members of the problem document (RFC 9457, section 3)."""
    extra = {name: value for name, value in problem.extra.items() if name not in _RESERVED}
    return {
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": status_of(problem),
        "code": problem.code,
        "detail": problem.detail,
        "instance": request_id,
        **extra,
    }


def render(problem: Problem, request_id: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of the answer, for the fast lane and for everything else."""
    status = status_of(problem)
    body = _ENCODER.encode(document(problem, request_id))
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
    ]
    if status in (429, 503):
        seconds = problem.extra.get("retry_after", 1)
        headers.append((b"retry-after", str(seconds).encode()))
    if status == 401:
        error = b', error="invalid_token"' if problem.code in _CHALLENGED else b""
        headers.append((b"www-authenticate", b'Bearer realm="tikiwallet"' + error))
    return status, headers, body


def problem_response(problem: Problem) -> Response:
    """The answer to the request being served."""
    status, headers, body = render(problem, problem.instance or logs.request_id.get())
    response = Response(body, status)
    response.raw_headers = headers
    return response


def install(app: FastAPI) -> None:
    """Make `app` answer every refusal and every bug with a problem document."""

    @app.exception_handler(Problem)
    async def on_problem(_request: Request, problem: Problem) -> Response:
        return problem_response(problem)

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        return problem_response(validation_problem(request.headers.get("content-type"), error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        kind = _BY_HTTP_STATUS.get(error.status_code)
        if kind is None:
            _log.error("unmapped HTTP error", status=error.status_code)
            return problem_response(InternalError())
        response = problem_response(kind())
        if kind is MethodNotAllowed:
            response.headers["allow"] = _allowed(app, request, error)
        return response

    @app.exception_handler(Exception)
    async def on_bug(_request: Request, _error: Exception) -> Response:
        # Starlette raises it again after this answer; the edge logs it there, with its story.
        return problem_response(InternalError())


def validation_problem(content_type: str | None, error: RequestValidationError) -> Problem:
    """What is wrong with a request, in plain words and without repeating what was sent."""
    errors: Sequence[dict[str, Any]] = error.errors()
    if any(one.get("type") == "json_invalid" for one in errors):
        return MalformedJson()
    locations: list[tuple[object, ...]] = [tuple(one.get("loc", ())) for one in errors]
    if ("body",) in locations and error.body is not None and not _is_json(content_type):
        return UnsupportedMediaType()
    found = [
        {"pointer": _pointer(location), "message": _plain(one)}
        for location, one in zip(locations, errors, strict=True)
    ]
    first = found[0]
    return InvalidRequest(f"{first['pointer'] or 'the body'} {first['message']}", errors=found)


def _allowed(app: FastAPI, request: Request, error: HTTPException) -> str:
    """Every method of the address, as RFC 9110 wants it in a 405; Starlette only knows those of
    the first route that has the address."""
    path = getattr(request.scope.get("route"), "path", "")
    methods = app.openapi()["paths"].get(path)
    if methods:
        return ", ".join(sorted(method.upper() for method in methods))
    return (error.headers or {}).get("allow", "GET")


def _is_json(content_type: str | None) -> bool:
    media = (content_type or "").partition(";")[0].strip().lower()
    return media == "application/json" or (
        media.startswith("application/") and media.endswith("+json")
    )


def _pointer(location: Sequence[object]) -> str:
    """A JSON pointer into the body (`/amount/currency`), or `query:limit`, `path:id`."""
    where, *rest = [str(part) for part in location] or ["body"]
    escaped = [part.replace("~", "~0").replace("/", "~1") for part in rest]
    if where == "body":
        return "".join(f"/{part}" for part in escaped)
    return f"{where}:{'/'.join(rest)}"


_PLAIN: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a known member",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode",
    "string_sub_type": "must be text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "string_pattern_mismatch": "does not have the form that is asked for",
}
_BOUNDED: Final = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "less_than": ("lt", "must be less than {}"),
    "string_too_short": ("min_length", "must have at least {} characters"),
    "string_too_long": ("max_length", "must have at most {} characters"),
    "too_short": ("min_length", "must have at least {} items"),
    "too_long": ("max_length", "must have at most {} items"),
    "literal_error": ("expected", "must be {}"),
}


def _plain(error: dict[str, Any]) -> str:
    kind = str(error.get("type"))
    bound = _BOUNDED.get(kind)
    context = error.get("ctx")
    if bound and isinstance(context, dict) and bound[0] in context:
        return bound[1].format(context[bound[0]])
    return _PLAIN.get(kind, "is not valid")
