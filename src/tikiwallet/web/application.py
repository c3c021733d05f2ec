"""The HTTP application: everything but the fast lane, which goes around it."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from tikiwallet.web import errors
from tikiwallet.web.api import (
    account,
    auth,
    confirmations,
    contacts,
    dev,
    docs,
    health,
    me,
    notes,
    notices,
    oauth,
    offline,
    offline_admin,
    offline_debts,
    offline_settlements,
    oidc,
    passkeys,
    payments,
    recovery,
    second_factors,
    sessions,
    step_up,
    topups,
    wallets,
)
from tikiwallet.web.app_files import AppFiles
from tikiwallet.web.edge import Edge
from tikiwallet.web.headers import of_every_answer
from tikiwallet.web.openapi import build_document
from tikiwallet.web.pages import Pages
from tikiwallet.web.parts import Parts
from tikiwallet.web.proxies import BehindProxies
from tikiwallet.web.rates import RateLimits


def build_application(
    parts: Parts, routers: Sequence[APIRouter] = (), app_files: AppFiles | None = None
) -> ASGIApp:
    """The ASGI application over `parts`; `routers` come on top of this package's own, `app_files`
    in place of the package's phone app.

    Starting and stopping the parts is their owner's: there is no lifespan here. Raises
    AppFilesError.
    """
    settings = parts.settings
    sandbox = settings.sandbox and parts.inbox is not None
    api: ASGIApp = build_api(parts, routers)
    if parts.rates is not None:
        api = RateLimits(api, parts.rates, verifier=parts.identity.verifier, cookies=parts.cookies)
    pages = Pages(app_files or AppFiles.read(sandbox=sandbox), api, dev_page=sandbox)
    edge: ASGIApp = Edge(
        pages, parts.latencies, of_every_answer(settings.public_url), cookies=parts.cookies
    )
    if settings.trusted_proxies:
        # Limits count by address: whose a request is, not which proxy handed it on.
        edge = BehindProxies(edge, settings.trusted_proxies)
    return edge


def build_api(parts: Parts, routers: Sequence[APIRouter] = ()) -> FastAPI:
    """The FastAPI application inside; the edge around it adds ids, limits and metrics."""
    app = _Api(
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # Its own telemetry would record requests' content; metrics and logs are the edge's here.
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
    )
    app.state.parts = parts
    app.state.docs_page = None
    errors.install(app)
    chosen = [
        auth.router,
        oidc.router,
        second_factors.router,
        passkeys.router,
        step_up.router,
        me.router,
        account.router,
        recovery.router,
        notices.router,
        contacts.router,
        sessions.router,
        wallets.router,
        topups.router,
        confirmations.router,  # before the payments, whose ids would match its address
        payments.router,
        notes.router,
        offline.router,
        offline_settlements.router,
        offline_debts.router,
        offline_admin.router,
        oauth.router,
        health.router,
        docs.router,
    ]
    if parts.settings.sandbox and parts.inbox is not None:
        chosen.append(dev.router)
    for router in (*chosen, *routers):
        app.include_router(router)
    return app


class _Api(FastAPI):
    """FastAPI with this project's OpenAPI document."""

    def openapi(self) -> dict[str, Any]:
        """The document, made when it is first asked for."""
        if self.openapi_schema is None:
            self.openapi_schema = build_document(self)
        return self.openapi_schema
