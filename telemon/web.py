"""``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for whoever keeps the daemon running."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from telemon.errors import ConfigError
from telemon.texts import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.requests import Request

    from telemon.ami.link import Link
    from telemon.ledger.writer import LedgerWriter
    from telemon.metrics import Metrics


def application(metrics: Metrics, links: Sequence[Link], ledger: LedgerWriter, more: Sequence[Route] = ()) -> Starlette:
    """Return the pages, and ``more`` of them. They are answered in the event loop, where what they show is changed."""

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.expose(), media_type=CONTENT_TYPE_LATEST)

    async def show_health(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def show_readiness(_: Request) -> Response:
        reasons = [
            link.problem or text()("web.not_connected", pbx=link.peer.name) for link in links if not link.connected
        ]
        if ledger.failing:
            reasons.append(text()("web.ledger_failing", count=ledger.pending, reason=ledger.last_error))
        return JSONResponse({"ready": not reasons, "reasons": reasons}, status_code=503 if reasons else 200)

    return Starlette(
        routes=[
            Route("/metrics", show_metrics),
            Route("/healthz", show_health),
            Route("/readyz", show_readiness),
            *more,
        ]
    )


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


def server_for(app: Starlette) -> Server:
    """Return a server for these pages, to be run with ``serve(sockets=[…])`` and ended by ``should_exit``."""
    return Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1))
