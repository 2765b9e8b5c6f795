"""Limits hold for a thousand, a million and a hundred million images, and docs/limits.md says what the code says."""

from typing import Any

import numpy as np
import pytest

from benchmarks import limits
from benchmarks.costs import Work, costs, others
from pixlake.matching.cutting import cut
from pixlake.messages import Member
from pixlake.settings import PlanSettings, SplitSettings
from pixlake.zips.shards import ShardCutter
from pixlake_cli.engine.template import Deployment
from pixlake_models.trying.prices import MILLION
from tests.project import ROOT

WORKS = [Work(images) for images in limits.IMAGES]
by_images = pytest.mark.parametrize("work", WORKS, ids=[f"{work.images:,}" for work in WORKS])


def test_limits_md_is_current() -> None:
    assert (ROOT / "docs/limits.md").read_text() == limits.page(), "run make docs"


def test_the_cost_of_a_model_follows_its_speed_on_a_core() -> None:
    """The 28.8 dollars that the page names."""
    work = Work(MILLION)
    assert costs(work)["Lambda: embed"] * work.measured.embedded_per_second == pytest.approx(28.8, abs=0.1)


@by_images
def test_payloads_stay_far_below_the_limit_of_step_functions(work: Work) -> None:
    for name, size in limits.payloads(work).items():
        assert size < limits.PAYLOAD_BYTES / 2, name


@by_images
def test_a_map_can_read_its_items(work: Work) -> None:
    assert limits.manifest_bytes(work) < limits.ITEM_FILE_BYTES / 100


def test_execution_histories_have_room_for_every_retry() -> None:
    for name, events in limits.histories().items():
        assert events < limits.HISTORY_EVENTS * 0.6, name


@by_images
def test_functions_finish_within_their_timeouts(work: Work, deployment: Deployment) -> None:
    seconds = {"Extract": work.extract_seconds, "Embed": work.embed_seconds, "Compact": work.compact_seconds}
    for name, needed in seconds.items():
        timeout = deployment.functions[f"{name}Function"].timeout
        assert timeout == limits.LAMBDA_SECONDS
        assert needed < timeout / 4, name


@by_images
def test_names_of_an_upload_fit_their_limits(work: Work, resources: Any) -> None:
    disk = resources("AWS::Serverless::Function")["PlanFunction"]["EphemeralStorage"]["Size"] << 20
    assert work.largest * len(limits.KEY) < disk


@by_images
def test_reads_stay_below_the_limit_of_s3(work: Work) -> None:
    assert limits.embed_gets(work) < limits.GETS_PER_SECOND


@by_images
def test_writes_of_extract_stay_below_the_limit_of_s3(work: Work) -> None:
    assert limits.extract_puts(work) <= limits.PUTS_PER_SECOND


def test_the_estimate_of_shards_and_batches_agrees_with_the_code() -> None:
    work = Work(20_000)
    members = (Member(f"{n}.jpg", "", work.image_bytes, compressed=work.image_bytes) for n in range(work.images))
    cutter = ShardCutter(PlanSettings("file:///lake"))
    assert sum(1 for _ in cutter.lines(members)) == work.images
    assert abs(len(cutter.shards) - work.shards) <= 1
    sizes = np.full(work.images, work.image_bytes)
    assert len(cut(sizes, SplitSettings.batch_rows, SplitSettings.batch_bytes)) == work.batches


def test_a_million_images_cost_less_than_elsewhere() -> None:
    ours, theirs = costs(Work(MILLION)), others(Work(MILLION))
    assert all(dollars > 0 for dollars in ours.values())
    assert sum(ours.values()) < min(theirs.values()) / 3


def test_cost_grows_with_the_images() -> None:
    small, large = (sum(costs(work).values()) for work in WORKS[1:])
    assert large == pytest.approx(100 * small, rel=0.01)
