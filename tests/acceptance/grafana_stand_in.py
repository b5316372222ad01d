"""A stand-in for Grafana's HTTP API, since no Grafana server can run where these tests do.

It keeps to Grafana's HTTP API reference (folders, data sources, dashboards, annotations; 11.6 to 13) and, for the
answers that the reference leaves open, to Grafana's source (pkg/services/dashboards/errors.go, pkg/api/apierrors):
paths, status codes, ``status`` words, 412 on a version that is not the stored one, 400 for a provisioned dashboard,
403 for a read-only data source. What it shows is that telemon keeps to that description. It is no proof that Grafana
does: it knows nothing of Grafana's own migrations, permissions by folder, nested folders or quotas.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager, contextmanager
from itertools import count

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

ADMIN, EDITOR, VIEWER = "glsa_admin", "glsa_editor", "glsa_viewer"


def answer(code, message, **more):
    return JSONResponse({"message": message, **more}, status_code=code)


class GrafanaStandIn:
    """What it holds, and every write that it was asked for (method and path)."""

    def __init__(self):
        self.folders = {}
        self.sources = {}
        self.boards = {}  # uid: {"dashboard", "meta"}
        self.annotations = {}
        self.provisioned = set()
        self.restless = set()  # boards that somebody saves after each look at them
        self.writes = []
        self._numbers = count(1)

    def application(self, prefix=""):
        routes = [
            Route("/health", self.health),
            Route("/folders", self.add_folder, methods=["POST"]),
            Route("/folders/{uid}", self.folder),
            Route("/datasources", self.add_source, methods=["POST"]),
            Route("/datasources/uid/{uid}", self.source, methods=["GET", "PUT"]),
            Route("/dashboards/uid/{uid}", self.board),
            Route("/dashboards/db", self.save_board, methods=["POST"]),
            Route("/annotations", self.all_annotations, methods=["GET", "POST"]),
            Route("/annotations/{number:int}", self.annotation, methods=["PUT"]),
        ]
        guard = Middleware(BaseHTTPMiddleware, dispatch=self.guard)
        return Starlette(routes=[Mount(f"{prefix}/api", routes=routes)], middleware=[guard])

    async def guard(self, request, following):
        """Sign in by token, and let each role do what it may (Viewer reads, Editor writes all but data sources)."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.path.endswith("/api/health"):
            return await following(request)
        if token not in {ADMIN, EDITOR, VIEWER}:
            return answer(401, "Invalid API key", messageId="api-key.invalid", statusCode=401, traceID="")
        of_sources = "/datasources" in request.url.path
        writing = request.method != "GET"
        if (token == VIEWER and (writing or of_sources)) or (token == EDITOR and of_sources and writing):
            return answer(403, "You'll need additional permissions to perform this action.", title="Access denied")
        if writing:
            self.writes.append((request.method, request.url.path))
        return await following(request)

    async def health(self, _):
        return JSONResponse({"database": "ok", "version": "12.1.1", "commit": "0"})

    # Folders

    async def folder(self, request):
        found = self.folders.get(request.path_params["uid"])
        return JSONResponse(found) if found else answer(404, "folder not found", status="not-found")

    async def add_folder(self, request):
        asked = await request.json()
        if asked["uid"] in self.folders:
            return answer(409, "a folder with the same uid already exists")
        made = {"id": next(self._numbers), "uid": asked["uid"], "title": asked["title"], "version": 1}
        self.folders[asked["uid"]] = made
        return JSONResponse(made)

    # Data sources

    async def source(self, request):
        uid = request.path_params["uid"]
        there = self.sources.get(uid)
        if there is None:
            return answer(404, "Data source not found")
        if request.method == "GET":
            return JSONResponse(there)
        if there["readOnly"]:
            return answer(403, "Cannot update read-only data source")
        self.sources[uid] = {**there, **await request.json(), "version": there["version"] + 1}
        return answer(200, "Datasource updated", id=there["id"], name=there["name"], datasource=self.sources[uid])

    async def add_source(self, request):
        asked = await request.json()
        if asked["name"] in {source["name"] for source in self.sources.values()}:
            return answer(409, "data source with the same name already exists")
        defaults = {"orgId": 1, "basicAuth": False, "isDefault": False, "readOnly": False, "version": 1, "user": ""}
        self.sources[asked["uid"]] = {"id": next(self._numbers), **defaults, **asked}
        return answer(200, "Datasource added", id=self.sources[asked["uid"]]["id"], name=asked["name"])

    # Dashboards

    async def board(self, request):
        found = self.boards.get(request.path_params["uid"])
        seen = JSONResponse(found) if found else answer(404, "Dashboard not found")
        if found and request.path_params["uid"] in self.restless:
            found["dashboard"]["version"] += 1
        return seen

    async def save_board(self, request):
        asked = await request.json()
        model, folder = asked["dashboard"], asked.get("folderUid", "")
        if folder and folder not in self.folders:
            return answer(400, "folder not found")
        if model["uid"] in self.provisioned:
            return answer(400, "Cannot save provisioned dashboard")
        there = self.boards.get(model["uid"])
        if model.get("id") is not None and (there is None or there["dashboard"]["id"] != model["id"]):
            return answer(404, "Dashboard not found", status="not-found")
        version = there["dashboard"]["version"] if there else 0
        if there and model.get("version") != version and not asked.get("overwrite"):
            return answer(412, "The dashboard has been changed by someone else", status="version-mismatch")
        number = there["dashboard"]["id"] if there else next(self._numbers)
        self.keep_board({**model, "id": number, "version": version + 1}, folder)
        uid = model["uid"]
        return JSONResponse({"id": number, "uid": uid, "status": "success", "version": version + 1, "url": f"/d/{uid}"})

    def keep_board(self, model, folder, *, provisioned=False):
        meta = {"folderUid": folder, "folderTitle": self.folders.get(folder, {}).get("title", "General")}
        meta |= {"provisioned": provisioned, "version": model["version"]}
        self.boards[model["uid"]] = {"dashboard": model, "meta": meta}

    # Annotations

    async def all_annotations(self, request):
        if request.method == "POST":
            number = next(self._numbers)
            asked = await request.json()
            self.annotations[number] = {"timeEnd": asked["time"], **asked, "id": number}
            return answer(200, "Annotation added", id=number)
        asked = request.query_params
        tags, start, end = set(asked.getlist("tags")), int(asked["from"]), int(asked["to"])
        found = [one for one in self.annotations.values() if tags <= set(one["tags"])]
        found = [one for one in found if one["time"] <= end and one["timeEnd"] >= start]
        return JSONResponse(found[: int(asked.get("limit", 100))])

    async def annotation(self, request):
        number = request.path_params["number"]
        if number not in self.annotations:
            return answer(404, "Annotation not found")
        self.annotations[number] |= await request.json()
        return answer(200, "Annotation updated")


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self):
        yield


@asynccontextmanager
async def grafana(*, prefix="", **options):
    """Run a stand-in on the loopback; yield it and its address. ``options`` are uvicorn's, such as ``ssl_certfile``."""
    held = GrafanaStandIn()
    door = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(held.application(prefix), log_config=None, lifespan="off", **options))
    serving = asyncio.create_task(server.serve(sockets=[door]))
    try:
        scheme = "https" if options else "http"
        yield held, f"{scheme}://127.0.0.1:{door.getsockname()[1]}{prefix}"
    finally:
        server.should_exit = True
        await serving
