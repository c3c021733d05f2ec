"""The OpenAPI 3.1 document: what FastAPI knows, every problem a call may answer, and the endpoints
of the fast lane, which FastAPI does not see.

`RAW_PATHS` is where endpoints outside of FastAPI are described.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tikiwallet import __version__
from tikiwallet.errors import Problem
from tikiwallet.money import AMOUNT_MAX
from tikiwallet.web.api.bodies import UUID, WALLET_ID
from tikiwallet.web.errors import MEDIA_TYPE, STATUS
from tikiwallet.web.rates import rate_of

Json = dict[str, Any]

# Members of a FastAPI route's `openapi_extra`.
SIGNED_IN: Final[Json] = {"security": [{"person": []}, {"browser": []}]}
TOKEN_CODES: Final = (
    "token_missing",
    "token_invalid",
    "token_expired",
    "token_revoked",
    "scope_missing",
    "csrf_failed",
    "sign_in_unavailable",
)
KEY_CODES: Final = (
    "idempotency_key_missing",
    "idempotency_key_invalid",
    "idempotency_key_reused",
    "unavailable",
)
BODY_CODES: Final = ("malformed_json", "unsupported_media_type", "body_too_large")
IDEMPOTENCY_HEADER: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Chosen by the caller; the same request may be sent again under the same key. "
    "Bare or quoted, 1 to 255 visible ASCII characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 514},
}
REPLAYED_HEADER: Final[Json] = {
    "Idempotent-Replayed": {
        "description": "`true` when this is the answer to an earlier request with the same key.",
        "schema": {"const": "true"},
    }
}


def problems(*codes: str) -> dict[int | str, Json]:
    """The `responses` of a route that may answer these codes (and fail for reasons of ours)."""
    by_status: dict[int, list[str]] = {}
    for code in ("invalid_request", *codes, "internal_error"):
        by_status.setdefault(STATUS[code], []).append(code)
    return {status: _problem_response(status, found) for status, found in by_status.items()}


def _problem_response(status: int, codes: list[str]) -> Json:
    codes = list(dict.fromkeys(codes))
    schema: Json = {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"properties": {"code": {"enum": codes}, "status": {"const": status}}},
        ]
    }
    response: Json = {
        "description": "; ".join(f"`{code}`" for code in codes),
        "content": {MEDIA_TYPE: {"schema": schema}},
    }
    if status in (429, 503):
        response["headers"] = {
            "Retry-After": {"schema": {"type": "string"}, "description": "seconds"}
        }
    return response


def operation(
    summary: str,
    *,
    tag: str,
    answer: str,
    codes: tuple[str, ...],
    status: int = 200,
    body: str | None = None,
    parameters: tuple[Json, ...] = (),
    security: str | None = "person",
    headers: Json | None = None,
) -> Json:
    """One operation of the fast lane; `answer` and `body` name schemas of the components."""
    described: Json = {
        "tags": [tag],
        "summary": summary,
        "parameters": list(parameters),
        "responses": {
            str(status): {
                "description": "Successful Response",
                "content": {"application/json": {"schema": _ref(answer)}},
            }
            | ({"headers": headers} if headers else {}),
            **{str(number): response for number, response in problems(*codes).items()},
        },
    }
    if body is not None:
        content = {"application/json": {"schema": _ref(body)}}
        described["requestBody"] = {"required": True, "content": content}
    if security is not None:
        described["security"] = SIGNED_IN["security"] if security == "person" else [{security: []}]
    return described


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _closed(required: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """An object without other members."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


_AMOUNT: Final[Json] = {
    "type": "integer",
    "minimum": 1,
    "maximum": AMOUNT_MAX,
    "description": "in minor units",
}
_TOTAL: Final[Json] = {"type": "integer", "description": "in minor units"}
_WALLET: Final[Json] = {"type": "string", "pattern": WALLET_ID}
_CODE: Final[Json] = {"type": "string", "pattern": "^[A-Z]{3}$"}
_PIN: Final[Json] = {"type": "string", "pattern": "^[0-9]{6}$"}
_TO: Final[Json] = {
    "type": "string",
    "minLength": 2,
    "maxLength": 64,
    "description": "a phone (+65…), a @username or a wallet id",
}

RAW_SCHEMAS: Final[dict[str, Json]] = {
    "Problem": {
        "type": "object",
        "description": "RFC 9457. `code` is stable; further members belong to it.",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "code": {"type": "string"},
            "detail": {"type": "string"},
            "instance": {"type": "string", "description": "the request's id"},
        },
        "required": ["type", "title", "status", "code", "detail", "instance"],
    },
    "Money": _closed({"amount": _AMOUNT, "currency": _CODE}),
    "Balance": _closed(
        {
            "wallet_id": _WALLET,
            "currency": _CODE,
            "available": _TOTAL,
            "held": _TOTAL,
            "posted": _TOTAL,
            "version": {"type": "integer", "description": "rises with each change"},
        }
    ),
    "BalancesQuery": _closed(
        {
            "wallet_ids": {
                "type": "array",
                "items": {"type": "string"},
                "minItems": 1,
                "maxItems": 1000,
                "description": "what is no wallet's id comes back under `missing`",
            }
        }
    ),
    "Balances": _closed(
        {
            "items": {"type": "array", "items": _ref("Balance")},
            "missing": {
                "type": "array",
                "items": {"type": "string"},
                "description": "asked for, but no wallet",
            },
        }
    ),
    "Payee": _closed({"to": _TO, "amount": _ref("Money")}),
    "PaymentRequest": _closed(
        {
            "from_wallet": _WALLET,
            "payees": {"type": "array", "items": _ref("Payee"), "minItems": 1, "maxItems": 100},
        },
        {
            "memo": {"type": "string", "maxLength": 140},
            "pin": _PIN,
            "confirmation": _closed(
                {
                    "id": {"type": "string", "maxLength": 64},
                    "credential": {"type": "object", "description": "a passkey's answer"},
                }
            ),
        },
    ),
    "PaidPosting": _closed(
        {"to": {"type": "string"}, "amount": _ref("Money")}, {"fee": _ref("Money")}
    ),
    "Payment": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": UUID},
            "status": {"const": "posted"},
            "created_at": {"type": "string", "format": "date-time"},
            "postings": {"type": "array", "items": _ref("PaidPosting")},
            "balance": _ref("Balance"),
        },
        "required": ["id", "status", "created_at", "postings", "balance"],
    },
}
RAW_PATHS: Final[dict[str, Json]] = {
    "/v1/wallets/{wallet_id}/balance": {
        "get": operation(
            "The balance of one of your wallets, as of the last commit",
            tag="wallets",
            answer="Balance",
            parameters=(
                {"name": "wallet_id", "in": "path", "required": True, "schema": _WALLET},
            ),
            codes=(*TOKEN_CODES, "not_found", "overloaded", "unavailable"),
        )
    },
    "/v1/balances/query": {
        "post": operation(
            "Many balances at once, for services with the scope balances:read",
            tag="wallets",
            answer="Balances",
            body="BalancesQuery",
            security="service",
            codes=(*TOKEN_CODES, *BODY_CODES, "overloaded", "unavailable"),
        )
    },
    "/v1/payments": {
        "post": operation(
            "Pay one or several people from one wallet: all of them or none",
            tag="payments",
            answer="Payment",
            status=201,
            body="PaymentRequest",
            parameters=(IDEMPOTENCY_HEADER,),
            headers=REPLAYED_HEADER,
            codes=(
                *TOKEN_CODES, *BODY_CODES, *KEY_CODES, "not_found", "unknown_recipient",
                "phone_invalid", "unknown_currency", "pin_required", "pin_wrong", "pin_locked",
                "pin_not_set", "pin_malformed", "confirmation_invalid", "lower_limit",
                "csrf_failed", "too_many_requests", "refused_too_often", "insufficient_funds",
                "unknown_account", "same_account", "currency_mismatch", "account_closed",
                "account_frozen", "limit_exceeded", "overflow", "abandoned", "rejected",
                "overloaded",
            ),
        )
    },
}  # fmt: skip


def build_document(app: FastAPI) -> Json:
    """The whole document; made once per process."""
    made = get_openapi(
        title="TikiWallet",
        version=__version__,
        openapi_version="3.1.0",
        description="Amounts are integers in minor units; times are RFC 3339, UTC. Every error is "
        "a problem document (RFC 9457) with a stable `code`.",
        routes=app.routes,
    )
    paths: dict[str, Json] = made.setdefault("paths", {})
    for path, operations in paths.items():
        for method, operation in operations.items():
            if rate_of(method.upper(), path) is not None:
                limited = _problem_response(429, ["too_many_requests"])
                operation["responses"].setdefault("429", limited)
    for path, operations in RAW_PATHS.items():
        paths.setdefault(path, {}).update(operations)
    for operations in paths.values():
        for operation in operations.values():  # before anybody knows what was asked for
            operation["responses"].setdefault("431", _problem_response(431, ["headers_too_large"]))
    components: Json = made.setdefault("components", {})
    schemas: Json = components.setdefault("schemas", {})
    schemas.update(RAW_SCHEMAS)
    # FastAPI brings its own form of validation errors along, which nothing here answers with.
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "person": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "browser": {
            "type": "apiKey",
            "in": "cookie",
            "name": "tw_access",
            "description": "Set where a sign-in asks for it with `Tikiwallet-Session: cookie`; "
            "`__Host-tw_access` under https. Unsafe calls then carry `X-CSRF-Token`.",
        },
        "service": {
            "type": "http",
            "scheme": "bearer",
            "description": "`tikiwallet admin token`, or `POST /v1/oauth/token`",
        },
        "client": {
            "type": "http",
            "scheme": "basic",
            "description": "`tikiwallet admin client add`",
        },
    }
    return made


def title_of(code: str) -> str | None:
    """What a problem's code means; None for codes that there are not."""
    kind = Problem.registry.get(code)
    return None if kind is None else kind.title
