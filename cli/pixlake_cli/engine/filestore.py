"""Files of this machine as S3, and the lake's catalog as Glue, for functions that run in containers.

Only the calls that the functions make are here. The server listens on a Unix socket in a folder of its own, since
containers reach no loopback address; `relay` passes their connections on. The address holds a random part, as in
`endpoints`. As with worker processes, every file that the user may read can be read; only the lake can be written.
"""

import json
import secrets
import shutil
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pixlake import storage
from pixlake.errors import AccessDenied, BadInput, BadRequest, MissingObject, PixlakeError
from pixlake_cli.engine.gluetables import GlueError, GlueTables

BUCKET = "files"
SOCKET = "socket"
_PART_BYTES = 1 << 20


class FileStore(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves until closed; `folder` holds the socket. Requests are below `/<secret>/`."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, lake: Path, tables: GlueTables) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pixlake-store-"))
        self.parts = self.folder / "parts"
        self.parts.mkdir()
        self.lake = lake
        self.tables = tables
        self.secret = secrets.token_urlsafe(16)
        super().__init__(str(self.folder / SOCKET), _Handler)
        threading.Thread(target=self.serve_forever, name="filestore", daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore the connections that a stopped container breaks."""

    def close(self) -> None:
        self.shutdown()
        self.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)


class _Refused(BadInput):
    """An error as S3 answers it."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileStore

    def do_GET(self) -> None:
        self._answer(self._list if self._query.get("list-type") else self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_PUT(self) -> None:
        self._answer(self._put_part if "uploadId" in self._query else self._put)

    def do_DELETE(self) -> None:
        self._answer(self._abort if "uploadId" in self._query else self._delete)

    def do_POST(self) -> None:
        if "X-Amz-Target" in self.headers:
            self._glue()
        elif "delete" in self._query:
            self._answer(self._delete_many)
        else:
            self._answer(self._begin if "uploads" in self._query else self._complete)

    # ---- objects -----------------------------------------------------------------------------------------------------

    def _get(self) -> None:
        info = storage.head(self._uri())
        if self.headers.get("If-Match", (tag := f'"{info.etag}"')) != tag:
            raise _Refused(412, "PreconditionFailed")
        start, stop, status = 0, info.size, 200
        if given := self.headers.get("Range"):
            first, _, last = given.removeprefix("bytes=").partition("-")
            if not first:
                start = max(0, info.size - int(last))
            else:
                start, stop = int(first), min(info.size, int(last) + 1 if last else info.size)
            if start >= stop:
                raise _Refused(416, "InvalidRange")
            status = 206
        self.send_response(status)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("ETag", tag)
        self.send_header("Last-Modified", format_datetime(info.last_modified, usegmt=True))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{info.size}")
        self.end_headers()
        if self.command == "GET" and stop > start:
            for chunk in storage.stream(info.uri, start, stop - start):
                self.wfile.write(chunk)

    def _list(self) -> None:
        prefix = self._query.get("prefix", "")
        found = sorted(storage.list_objects(f"file:///{prefix.rstrip('/')}"), key=lambda info: info.uri)
        entries = "".join(
            f"<Contents><Key>{escape(info.uri.removeprefix('file:///'))}</Key><Size>{info.size}</Size>"
            f'<ETag>"{info.etag}"</ETag><LastModified>{info.last_modified:%Y-%m-%dT%H:%M:%S.%fZ}</LastModified></Contents>'
            for info in found
        )
        self._reply_xml("ListBucketResult", f"{entries}<IsTruncated>false</IsTruncated>")

    def _put(self) -> None:
        uri, body = self._writable(), self._body()
        if self.headers.get("If-None-Match") != "*":
            storage.write(uri, body)
        elif not storage.create(uri, body):
            raise _Refused(412, "PreconditionFailed")
        self._reply(200, headers={"ETag": f'"{storage.head(uri).etag}"'})

    def _delete(self) -> None:
        storage.delete([self._writable()])
        self._reply(204)

    def _delete_many(self) -> None:
        root = ElementTree.fromstring(self._body())
        keys = [element.text or "" for element in root.iter() if element.tag.rpartition("}")[2] == "Key"]
        storage.delete([self._writable(key) for key in keys])
        deleted = "".join(f"<Deleted><Key>{escape(key)}</Key></Deleted>" for key in keys)
        self._reply_xml("DeleteResult", deleted)

    # ---- objects in parts --------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._writable()
        folder = Path(tempfile.mkdtemp(dir=self.server.parts))
        self._reply_xml("InitiateMultipartUploadResult", f"<UploadId>{folder.name}</UploadId>")

    def _put_part(self) -> None:
        number = int(self._query["partNumber"])
        (self._upload() / f"{number:05d}").write_bytes(self._body())
        self._reply(200, headers={"ETag": f'"{number}"'})

    def _complete(self) -> None:
        self._body()
        uri, folder = self._writable(), self._upload()
        storage.write_stream(uri, _chunks(folder))
        shutil.rmtree(folder)
        self._reply_xml("CompleteMultipartUploadResult", f"<ETag>&quot;{storage.head(uri).etag}&quot;</ETag>")

    def _abort(self) -> None:
        shutil.rmtree(self._upload(), ignore_errors=True)
        self._reply(204)

    def _upload(self) -> Path:
        folder = self.server.parts / Path(self._query["uploadId"]).name
        if not folder.is_dir():
            raise _Refused(404, "NoSuchUpload")
        return folder

    # ---- Glue --------------------------------------------------------------------------------------------------------

    def _glue(self) -> None:
        if self._parts() is None:
            self._reply(403)
            return
        action = self.headers["X-Amz-Target"].rpartition(".")[2]
        try:
            status, answer = 200, self.server.tables.call(action, json.loads(self._body()))
        except GlueError as error:
            status, answer = 400, {"__type": error.code, "Message": str(error)}
        self._reply(status, json.dumps(answer).encode(), {"Content-Type": "application/x-amz-json-1.1"})

    # ---- requests ----------------------------------------------------------------------------------------------------

    @property
    def _query(self) -> Mapping[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    def _parts(self) -> list[str] | None:
        """The path below the secret; None where the secret is wrong."""
        _, secret, *parts = [unquote(part) for part in urlsplit(self.path).path.split("/")]
        return parts if secrets.compare_digest(secret.encode(), self.server.secret.encode()) else None

    def _uri(self, key: str | None = None) -> str:
        bucket, *rest = self._parts() or [""]
        if bucket != BUCKET:
            raise _Refused(403, "AccessDenied")
        return f"file:///{'/'.join(rest) if key is None else key}"

    def _writable(self, key: str | None = None) -> str:
        uri = self._uri(key)
        storage.locate(uri)  # refuses `..`
        if not Path(uri.removeprefix("file://")).is_relative_to(self.server.lake):
            raise _Refused(403, "AccessDenied")
        return uri

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    # ---- answers -----------------------------------------------------------------------------------------------------

    def _answer(self, answer: Callable[[], None]) -> None:
        try:
            answer()
        except MissingObject as error:
            self._refuse(404, "NoSuchKey", str(error))
        except AccessDenied as error:
            self._refuse(403, "AccessDenied", str(error))
        except _Refused as error:
            self._refuse(error.status, str(error), self.path)
        except BadRequest as error:
            self._refuse(400, "InvalidRequest", str(error))
        except PixlakeError as error:
            self._refuse(500, "InternalError", str(error))

    def _refuse(self, status: int, code: str, message: str) -> None:
        # a body that was not read would be taken for the next request
        self.close_connection = True
        self._reply(status, f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>".encode())

    def _reply_xml(self, name: str, content: str) -> None:
        self._reply(200, f"<{name}>{content}</{name}>".encode(), {"Content-Type": "application/xml"})

    def _reply(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the engine shows progress itself."""


def _chunks(folder: Path) -> Iterator[bytes]:
    for part in sorted(folder.iterdir()):
        with part.open("rb") as file:
            while chunk := file.read(_PART_BYTES):
                yield chunk
