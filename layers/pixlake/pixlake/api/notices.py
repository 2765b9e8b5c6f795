"""What is said beside an answer, in its headers: the model, and that a demo model answered."""

from collections.abc import Sequence

from pixlake.bundles.demo import is_of_sample, write_notice
from pixlake.bundles.folders import open_folder
from pixlake.errors import BadBundle
from pixlake.search.ranking import Hit

MODEL, NOTICE = "Pixlake-Model", "Pixlake-Notice"


class Notices:
    """Of a lake's models; what a `name@version` is never changes, so each is looked up once."""

    def __init__(self, lake_uri: str) -> None:
        self._lake_uri = lake_uri
        self._demo: dict[str, bool] = {}

    def of_search(self, model: str, hits: Sequence[Hit]) -> dict[str, str]:
        """As `pixlake search` has it: not where all hits came with the sample."""
        on_sample = all(is_of_sample(hit.experiment_id, hit.image_uri) for hit in hits)
        return self._write("embedder", model, on_sample)

    def of_class(self, model: str) -> dict[str, str]:
        """As `pixlake classify` has it."""
        return self._write("orphan", model, on_sample=False)

    def _write(self, role: str, model: str, on_sample: bool) -> dict[str, str]:
        notice = write_notice({role: model}, on_sample=on_sample) if self._is_demo(model) else ""
        return {NOTICE: notice} if notice else {}

    def _is_demo(self, model: str) -> bool:
        if model not in self._demo:
            try:
                self._demo[model] = open_folder(self._lake_uri, model).demo
            except BadBundle:
                self._demo[model] = False  # vectors may be searched without the model that made them
        return self._demo[model]
