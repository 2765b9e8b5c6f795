"""docs/report.png: the top of the sample's report, as Chromium shows it. `make report-picture` runs it.

python docs/report_picture.py chromium docs/report.png
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

ROOT = Path(__file__).resolve().parents[1]
WIDTH, LONGEST = 1120, 1400
# between two sections the page has at least as many empty rows of pixels
GAP = 24
COLOURS = 256
QUIET = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
]


def main(chromium: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = _write_page(Path(folder))
        picture = _photograph(chromium, page)
    cut = picture.crop((0, 0, picture.width, _find_cut(picture)))
    cut.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _write_page(folder: Path) -> Path:
    """The report of a run, with the upload named as in the repository: where that lies is no one's concern."""
    pixlake, upload, lake = Path(sys.executable).with_name("pixlake"), ROOT / "samples/emoji.zip", folder / "lake"
    done = subprocess.run([pixlake, "run", upload, "--lake", lake, "--json"], stdout=subprocess.PIPE, check=True)
    page = folder / "report.html"
    page.write_text(Path(json.loads(done.stdout)["report"]).read_text().replace(f"file://{ROOT}/", ""))
    return page


def _photograph(chromium: str, page: Path) -> Image.Image:
    picture = page.with_suffix(".png")
    # Chromium has no sandbox for root
    options = [*QUIET, *(["--no-sandbox"] if os.geteuid() == 0 else []), f"--user-data-dir={page.parent / 'profile'}"]
    options += [f"--window-size={WIDTH},{LONGEST}", f"--screenshot={picture}"]
    subprocess.run([chromium, *options, page.as_uri()], check=True, stderr=subprocess.DEVNULL)
    with Image.open(picture) as found:
        return found.convert("RGB")


def _find_cut(picture: Image.Image) -> int:
    """Where the last section ends that is whole."""
    page = Image.new("RGB", (picture.width, GAP), picture.getpixel((0, 0)))
    for bottom in range(picture.height, GAP, -1):
        if ImageChops.difference(picture.crop((0, bottom - GAP, picture.width, bottom)), page).getbbox() is None:
            return bottom
    return picture.height


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
