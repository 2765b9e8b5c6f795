"""The id column that an experiment remembers, held against the table of another upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from pixlake.experiments import Experiment, other_column
from pixlake.matching.columns import Choice, nearest_column
from pixlake.matching.profiles import MOSTLY
from pixlake.matching.records import Records


@dataclass(frozen=True)
class Keyed:
    """The experiment and what it remembers."""

    experiment_id: str
    experiment: Experiment

    @property
    def choice(self) -> Choice:
        column = self.experiment.id_column
        return Choice(
            column,
            f"{column}: the id column of this experiment since {self.experiment.upload_uri}",
            doubtful=self.experiment.guessed,
        )

    def check_column(self, told: str | None, columns: Sequence[str]) -> None:
        """BadUpload where the options tell another column, or the tables do not have this one."""
        column = self.experiment.id_column
        if told is not None and told != column:
            raise other_column(self.experiment_id, self.experiment, f"id_column is {told!r} here")
        if column not in columns:
            there = ", ".join(map(repr, columns[:20]))
            near = nearest_column(column, columns)
            said = f"the columns of this upload are {there}{f' ({near} Then call it {column!r})' if near else ''}"
            raise other_column(self.experiment_id, self.experiment, said)

    def check_key(self, rows: int, records: Records) -> None:
        """BadUpload where most rows have no id of their own in the column; the rows of one record's images have."""
        filled = rows - len(records.empty)
        if rows and (filled < MOSTLY * rows or filled - len(records.repeated) < MOSTLY * filled):
            why = f"in this upload {len(records.empty):,} of {rows:,} rows have no value there, and"
            why = f"{why} {len(records.repeated):,} one that another row has"
            raise other_column(self.experiment_id, self.experiment, why)
