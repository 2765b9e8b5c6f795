"""A hostile zip through the steps Plan and Extract.

What holds: the upload is refused as BadUpload, or each member of it is in the lake, byte for byte what the zip's
directory says of it, or a reject.
"""

import shutil
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

from pixlake.errors import BadUpload
from pixlake.zips.directory import find_directory, read_entries
from pixlake.zips.entries import Kind
from pixlake.zips.original import open_original
from tests.builders.uploads import Bench
from tests.fuzz.findings import Tally, broken

SECONDS = 5.0


@dataclass
class ZipChecks:
    """Uploads in a folder, one after another."""

    folder: Path
    tally: Tally

    def check(self, data: bytes) -> None:
        """Raises Finding."""
        shutil.rmtree(self.folder, ignore_errors=True)
        bench = Bench(self.folder.as_uri())
        before = time.process_time()
        found, outcome = self._run(bench, data)
        if not found and time.process_time() - before > SECONDS:
            found = "it took more of a core than a zip may"
        if found:
            raise broken(found, {"bad.zip": data})
        self.tally.count("zip", outcome)

    def _run(self, bench: Bench, data: bytes) -> tuple[str, str]:
        """What must not be, and what became of the upload."""
        upload = bench.put("bad.zip", data)
        try:
            answer = bench.plan(upload)
            answers = bench.extract(answer)
        except BadUpload as error:
            return "", error.reason
        images, reasons = bench.images(), bench.rejects()
        if answer.images != sum(each.extracted + each.rejected for each in answers):
            return "not as many images as members", ""
        if len(images) != sum(each.extracted for each in answers):
            return "not as many images in the lake as extracted", ""
        wanted = {
            each.path for each in read_entries(find_directory(open_original(upload))) if each.kind != Kind.IGNORED
        }
        found = {*images, *bench.tables(), *(each.source for each in reasons), "pixlake.json"}
        if lost := wanted - found:
            return f"members lost: {sorted(lost)}", ""
        crcs = {each.image_path: each.crc for each in bench.members()}
        if any(zlib.crc32(content) != crcs[path] for path, content in images.items()):
            return "an image of other bytes than the directory says", ""
        return "", "extracted with rejects" if reasons else "extracted"
