"""`pixlake models get` of a model from a hub on loopback, beside copying and hashing the same bytes.

    python -m benchmarks.get

The model is ViT-B/32's image tower with random weights, 350 MB. Hub, command and its stages have a process each, and
take turns with the copy; a stage's processor time is its own and its children's. The least of the turns counts.
"""

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import wraps
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import onnx
from click.testing import CliRunner

from benchmarks.transformer import SIDE, VIT_B_32, vision_transformer
from models.tests.loopback_hub import Hub, serving_hub

_REPOSITORY, _GRAPH = "bench/vit-b-32", "onnx/model.onnx"
_TURNS = 3
_STAGES = {
    "fetch": ("pixlake_models.hub.repository", "Repository.fetch"),
    "make": ("pixlake_models.hub.making", "make_bundle"),
    "write": ("pixlake_models.exporting.writing", "write_bundle"),
    "check": ("pixlake_models.hub.checks", "check_bundle"),
    "push": ("pixlake.bundles.transfers", "push_bundle"),
}
Seconds = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=_TURNS)
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.stages:
        print(json.dumps(_measure_stages(arguments.stages)))
        return
    with tempfile.TemporaryDirectory(prefix="pixlake-get-") as folder:
        _report(Path(folder), arguments.turns)


def _report(folder: Path, turns: int) -> None:
    ours, stop = multiprocessing.Pipe()
    graph = folder / "model.onnx"
    served = multiprocessing.get_context("spawn").Process(target=_serve, args=(stop, graph))
    served.start()
    address = ours.recv()
    taken: list[Seconds] = []
    for _ in range(turns):
        taken.append(
            _copy(graph, folder / "copy") | _get(address, folder / "whole") | _stages(address, folder / "parts")
        )
        print("  ".join(f"{name} {value:.2f}" for name, value in taken[-1].items()), flush=True)
    ours.send(None)
    served.join()
    least = {name: min(each[name] for each in taken) for name in taken[0]}
    moved = least["fetch"] + least["make"] + least["write"] + least["push"]
    print(f"{graph.stat().st_size / 1e6:.0f} MB; seconds of a core, the least of {turns} turns")
    print(f"copied and hashed once: {least['copy']:.2f}; the command: {least['command']:.2f}")
    print(f"fetched, hashed, written: {moved:.2f}, {moved / least['copy']:.1f} times; checks: {least['check']:.2f}")
    print(f"memory: {least['memory']:.0f} MB in the process that had most")


def _serve(stop: Connection, graph: Path) -> None:
    """The hub, until told otherwise."""
    graph.write_bytes(_make_graph())
    sides = {"height": SIDE, "width": SIDE}
    levels = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    settings = {"size": {"shortest_edge": SIDE}, "do_center_crop": True, "crop_size": sides} | levels
    config = {"model_type": "clip", "projection_dim": VIT_B_32.dimensions}
    described = {"config.json": config, "preprocessor_config.json": settings}
    files = {name: json.dumps(each).encode() for name, each in described.items()}
    with serving_hub(Hub({_REPOSITORY: files | {_GRAPH: graph.read_bytes()}})) as hub:
        stop.send(hub.address)
        stop.recv()


def _make_graph() -> bytes:
    """As transformers.js names its inputs and outputs."""
    model = onnx.load_from_string(vision_transformer(VIT_B_32))
    names = {"image": "pixel_values", "embedding": "image_embeds"}
    for node in model.graph.node:
        for listed in (node.input, node.output):
            listed[:] = [names.get(each, each) for each in listed]
    for each in (*model.graph.input, *model.graph.output):
        each.name = names[each.name]
    return bytes(model.SerializeToString())


def _copy(source: Path, target: Path) -> Seconds:
    begun = time.process_time()
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        hashlib.file_digest(file, "sha256").hexdigest()
    return {"copy": time.process_time() - begun}


def _get(address: str, folder: Path) -> Seconds:
    """The command as a user calls it: processor seconds, and the memory of the process that had most, in MB."""
    code = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:], stdout=2).returncode;"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN);"
        "print(code, used.ru_utime + used.ru_stime, used.ru_maxrss)"
    )
    program = [str(Path(sys.executable).parent / "pixlake"), *_arguments(folder)]
    said = _run([sys.executable, "-c", code, *program], address, folder).split()
    assert said[0] == "0"
    return {"command": float(said[1]), "memory": int(said[2]) * 1024 / 1e6}


def _stages(address: str, folder: Path) -> Seconds:
    found: Seconds = json.loads(
        _run([sys.executable, "-m", "benchmarks.get", "--stages", str(folder)], address, folder)
    )
    return found


def _run(command: list[str], address: str, folder: Path) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    settings = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _arguments(folder: Path) -> list[str]:
    return ["models", "get", f"hf:{_REPOSITORY}", "--lake", str(folder / "lake")]


def _measure_stages(folder: Path) -> Seconds:
    """Of the command, run in this process."""
    from pixlake_cli.main import cli

    taken: Seconds = dict.fromkeys(_STAGES, 0.0)
    for stage, (module, name) in _STAGES.items():
        holder: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for each in path:
            holder = getattr(holder, each)
        setattr(holder, last, _timed(getattr(holder, last), stage, taken))
    done = CliRunner().invoke(cli, _arguments(folder), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    taken["make"] -= taken["fetch"]  # which it calls
    return taken


def _timed(function: Callable[..., Any], stage: str, taken: Seconds) -> Callable[..., Any]:
    @wraps(function)
    def timed(*arguments: Any, **options: Any) -> Any:
        begun = _spent()
        try:
            return function(*arguments, **options)
        finally:
            taken[stage] += _spent() - begun

    return timed


def _spent() -> float:
    """Processor seconds of this process and those that it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in both)


if __name__ == "__main__":
    main()
