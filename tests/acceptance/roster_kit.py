"""A web server that serves a calendar, or fails to, as a test wants."""

import ssl
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Site:
    """What the server answers, and what it was asked: path and headers of each request."""

    def __init__(self):
        self.status = 200
        self.headers = {"Content-Type": "text/calendar"}
        self.body = b""
        self.asked = []
        self.port = 0
        self.scheme = "http"

    def url(self, path="calendar.ics"):
        return f"{self.scheme}://127.0.0.1:{self.port}/{path}"


def _handler(site):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            site.asked.append((self.path, dict(self.headers)))
            etag = site.headers.get("ETag")
            unchanged = etag is not None and self.headers.get("If-None-Match") == etag
            self.send_response(304 if unchanged else site.status)
            for name, value in site.headers.items():
                self.send_header(name, value)
            if "Content-Length" not in site.headers:
                self.send_header("Content-Length", str(0 if unchanged else len(site.body)))
            self.end_headers()
            if not unchanged:
                self.wfile.write(site.body)

        def log_message(self, *_):
            """Keep quiet."""

    return Handler


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_):
        """A client that goes away is no error here."""


@contextmanager
def serving(tls=None):
    """Serve on a free port until the end; with TLS if there is a certificate for it."""
    site = Site()
    server = _Server(("127.0.0.1", 0), _handler(site))
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        site.scheme = "https"
    site.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
