"""``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for whoever keeps the daemon running, and other pages."""

# FastAPI reads the annotations of what answers as they are here: they are no texts in this module.
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute

from telemon.errors import ConfigError
from telemon.metrics import pieces
from telemon.texts import text
from telemon.wallboard.headers import SecurityHeaders

if TYPE_CHECKING:
    from telemon.ami.link import Link
    from telemon.ledger.writer import LedgerWriter
    from telemon.metrics import Metrics


def application(
    metrics: "Metrics", links: "Sequence[Link]", ledger: "LedgerWriter", more: Sequence[BaseRoute] = ()
) -> FastAPI:
    """Return the pages, and ``more`` of them. They are answered in the event loop, where what they show is changed."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)  # its own pages are another server's scripts
    app.add_middleware(SecurityHeaders)

    @app.get("/metrics")
    async def show_metrics() -> Response:
        return StreamingResponse(pieces(await metrics.expose()), media_type=CONTENT_TYPE_LATEST)

    @app.get("/metrics/staffing")
    async def show_staffing() -> Response:
        return StreamingResponse(pieces(metrics.staffing()), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    async def show_health() -> Response:
        return JSONResponse({"status": "alive"})

    @app.get("/readyz")
    async def show_readiness() -> Response:
        reasons = _unready(links, ledger)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    app.router.routes.extend(more)
    return app


def _unready(links: "Sequence[Link]", ledger: "LedgerWriter") -> list[str]:
    reasons = [link.problem or text()("web.not_connected", pbx=link.peer.name) for link in links if not link.connected]
    if ledger.failing:
        reasons.append(text()("web.ledger_failing", count=ledger.pending, reason=ledger.last_error))
    return reasons


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(text()("web.address", host=host, port=port, reason=error.strerror)) from error


class Server(uvicorn.Server):
    """Uvicorn without signal handlers of its own: the daemon decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def server_for(app: FastAPI) -> Server:
    """Return a server for these pages, to be run with ``serve(sockets=[…])`` and ended by ``should_exit``.

    It takes no proxy's word for who asks (``telemon.wallboard.visitors`` does, of those that are trusted).
    """
    return Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
            proxy_headers=False,
            server_header=False,
        )
    )
