"""The functions in their containers, as `sam local start-lambda` runs them, in place of worker processes.

They are the images and packages that `sam build` made, under Lambda's runtime interface emulator, with the memory and
timeouts of the template. Files and catalog reach them over HTTP (`filestore`), by the URIs that worker processes use,
so that a lake takes both kinds of run. SAM keeps one warm container a function, which does one thing at a time.
"""

import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from pixlake.errors import BadRequest
from pixlake.iceberg.catalog import open_catalog
from pixlake_cli.engine.filestore import SOCKET, FileStore
from pixlake_cli.engine.gluetables import GlueTables
from pixlake_cli.engine.sandbox import Answer, failure
from pixlake_cli.engine.template import REGION, Function, TemplateLoader

BUILT = ".aws-sam/build"
# the base of the functions' own images, so it is there
RELAY_IMAGE = "python:3.13-slim-trixie"
START_SECONDS = 60.0
# for SAM to make and start a container
COLD_SECONDS = 300.0
FOLDER = Path(__file__).parent


class Container:
    """Invokes one function through SAM."""

    def __init__(self, function: Function, port: int) -> None:
        self.function = function
        self._port = port
        self._lock = threading.Lock()

    def prestart(self) -> None:
        """SAM starts a container at its first invocation."""

    def workers(self) -> list[int]:
        """Empty: containers are not processes of the engine."""
        return []

    def close(self) -> None:
        """SAM ends its containers itself."""

    def invoke(self, payload: bytes) -> Answer:
        """Run the function on `payload`, after earlier invocations."""
        with self._lock:
            timeout = self.function.timeout + COLD_SECONDS
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=timeout)
            try:
                connection.request("POST", f"/2015-03-31/functions/{self.function.name}/invocations", payload)
                response = connection.getresponse()
                return _answer(response.status, response.read())
            except (OSError, http.client.HTTPException) as error:
                return failure("Runtime.ExitError", f"SAM did not answer for {self.function.name}: {error!r}")
            finally:
                connection.close()


def _answer(status: int, body: bytes) -> Answer:
    """SAM's answer as Lambda's. SAM leaves errors that name their request unmarked; timeouts and kills are not JSON."""
    text = body.decode(errors="replace")
    if status != 200:
        return failure("Runtime.ExitError", f"SAM answered {status}: {text}")
    try:
        value = json.loads(body)
    except ValueError:
        return failure("Sandbox.Timedout" if "timed out" in text else "Runtime.ExitError", text or "no answer")
    return Answer(body, failed=isinstance(value, dict) and {"errorType", "errorMessage"} <= value.keys())


class Containers:
    """SAM and the services of its containers, from construction until `close`."""

    def __init__(self, root: Path, functions: Mapping[str, Function], lake: Path, logs: Path) -> None:
        sam = _check(root)
        catalog = lake / "catalog.db"
        # creates the tables, which the functions expect
        open_catalog(f"file://{lake}", f"sqlite:///{catalog}")
        self._network = f"pixlake-{secrets.token_hex(4)}"
        self._store = FileStore(lake, GlueTables(catalog))
        self._template = root / BUILT / f"{self._network}.yaml"
        self._keeper: subprocess.Popen[bytes] | None = None
        try:
            self._start_relay()
            self._write_template(functions, f"file://{lake}")
            port = self._start_sam(sam, root, logs / "sam.log")
        except BaseException:
            self.close()
            raise
        self.functions = {name: Container(function, port) for name, function in functions.items()}

    def close(self) -> None:
        """End SAM, its containers, their network and their store."""
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait()
        else:
            _succeeds("docker", "rm", "--force", f"{self._network}-store")
            _succeeds("docker", "network", "rm", self._network)
        self._template.unlink(missing_ok=True)
        self._store.close()

    def _start_relay(self) -> None:
        _docker("network", "create", self._network)
        _docker(
            *("run", "--detach", "--rm", "--name", f"{self._network}-store"),
            *("--network", self._network, "--network-alias", "store", "--user", f"{os.getuid()}:{os.getgid()}"),
            *("--volume", f"{self._store.folder / SOCKET}:/run/engine/{SOCKET}"),
            *("--volume", f"{FOLDER / 'relay.py'}:/relay.py:ro"),
            *(RELAY_IMAGE, "python", "/relay.py", f"/run/engine/{SOCKET}", "0.0.0.0", "5000"),
        )

    def _write_template(self, functions: Mapping[str, Function], lake_uri: str) -> None:
        """The built template with each function's environment: SAM passes on only variables that it declares."""
        endpoint = f"http://store:5000/{self._store.secret}"
        own = {"LAKE_URI": lake_uri, "CATALOG_URI": "glue"}
        added = {"FILES_ENDPOINT": endpoint, "AWS_ENDPOINT_URL_GLUE": endpoint}
        template = yaml.load((self._template.parent / "template.yaml").read_text("utf-8"), TemplateLoader)
        for name, function in functions.items():
            here = {key: own.get(key, value) for key, value in function.environment.items()}
            template["Resources"][name]["Properties"]["Environment"] = {"Variables": here | added}
        self._template.write_text(yaml.safe_dump(template), "utf-8")

    def _start_sam(self, sam: str, root: Path, log: Path) -> int:
        port = _free_port()
        command = [
            *(sys.executable, str(FOLDER / "keeper.py"), self._network),
            *(sam, "local", "start-lambda", "--template", str(self._template), "--port", str(port)),
            *("--skip-pull-image", "--warm-containers", "LAZY", "--no-watch"),
            *("--docker-network", self._network, "--region", REGION),
        ]
        with log.open("wb") as output:
            self._keeper = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=root,
                env=_environment(),
                start_new_session=True,
            )
        _wait_for(port, self._keeper, log)
        return port


def _check(root: Path) -> str:
    """The path of SAM; BadRequest names what containers lack, and the remedy."""
    if not (root / "samconfig.toml").is_file():
        raise BadRequest(
            "--containers needs a checkout of Pixlake, where `make build` makes the containers, and this `pixlake` was "
            "installed without one: leave --containers out, or use the `pixlake` of a checkout"
        )
    if sys.platform != "linux":
        raise BadRequest("--containers needs Linux: elsewhere leave it out, or use `sam local invoke`")
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], check=False, capture_output=True).returncode
    ):
        raise BadRequest("--containers needs a Docker engine, and `docker info` finds none: install or start it")
    sam = shutil.which("sam", path=f"{root / '.venv-sam/bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if sam is None:
        raise BadRequest("--containers needs the SAM CLI: `make sam` installs it beside the checkout")
    if not (root / BUILT / "template.yaml").is_file():
        raise BadRequest("--containers needs what `sam build` makes: run `make build` first")
    return sam


def _environment() -> dict[str, str]:
    """The environment without the user's AWS account; SAM needs credentials, if only to pass to the containers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ACCESS_KEY_ID": "laptop",
        "AWS_SECRET_ACCESS_KEY": "laptop",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }


def _succeeds(*words: str) -> bool:
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def _docker(*words: str) -> None:
    done = subprocess.run(["docker", *words], check=False, capture_output=True, text=True)
    if done.returncode:
        raise BadRequest(f"docker {words[0]} failed: {done.stderr.strip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise BadRequest(
        f"`sam local start-lambda` did not start: {' '.join(log.read_text(errors='replace')[-500:].split())}"
    )
