"""The SQL by which Athena does what `commit` does, table by table, written from `schemas` alone.

The parts are read through an external table whose partitions are executions: their folders follow from the name
(partition projection, `injected`), so nothing is registered for an execution, and nothing has to be dropped after it.
Its name holds a digest of its columns and folders: another version of Pixlake makes another one. An external table
has times to the millisecond, without zone; they are UTC.
"""

from hashlib import sha256

import pyarrow as pa
from msgspec import structs

from pixlake.iceberg.keys import PARTITION
from pixlake.iceberg.links import AFTER_NAMED
from pixlake.messages import Run, TableStatements
from pixlake.schemas import BY_FIT, EMBEDDINGS, LINKS, PREDICTIONS, RECORDS, TableSchema

_NEVER = 10 * 365 * 86_400
_HIVE = {
    pa.string(): "string",
    pa.bool_(): "boolean",
    pa.int32(): "int",
    pa.int64(): "bigint",
    pa.float32(): "float",
    pa.float64(): "double",
}


def write_statements(schema: TableSchema, run: Run, lake: str, folder: str) -> TableStatements:
    """The statements for one table. `folder` below the execution's work folder holds the table's Parquet files; for
    `links`, those of `records`."""
    parts, register = _register(RECORDS if schema is LINKS else schema, lake, folder)
    where = f"{PARTITION} = {_text(run.experiment_id)}"
    # Maintain expires snapshots, but for the one current at the beginning of the days kept; VACUUM would take that too.
    # A file with a single delete file is packed too, so that readers find rows, not deletes.
    properties = f"'vacuum_max_snapshot_age_seconds' = '{_NEVER}', 'optimize_rewrite_delete_file_threshold' = '1'"
    return TableStatements(
        table=schema.name,
        register=register,
        merge=_merge(schema, parts, run),
        keep=f"ALTER TABLE {schema.name} SET TBLPROPERTIES ({properties})",
        # Athena takes no quoted names here
        optimize=f"OPTIMIZE {schema.name} REWRITE DATA USING BIN_PACK WHERE {where}",
        vacuum=f"VACUUM {schema.name}",
    )


def write_agreeing(schema: TableSchema, run: Run, lake: str, folder: str) -> TableStatements | None:
    """The statements by which a table agrees with `links` again, once the parts are merged; None for one that has
    nothing to agree with."""
    write = {EMBEDDINGS.name: _set_owners, RECORDS.name: _set_images, PREDICTIONS.name: _drop_owned}.get(schema.name)
    if write is None:
        return None
    return structs.replace(write_statements(schema, run, lake, folder), merge=write(_text(run.experiment_id)))


def write_withdrawal(schema: TableSchema, run: Run, lake: str, folder: str) -> TableStatements:
    """The statements that delete the rows of a table that `folder` below the execution's work folder holds."""
    parts, _ = _register(schema, lake, folder)
    merge = "\n".join(
        [
            f"MERGE INTO {_name(schema.name)} AS target",
            f"USING ({_newest(schema, parts, run)}) AS source",
            f"ON {' AND '.join(_matches(schema, run))}",
            "WHEN MATCHED THEN DELETE",
        ]
    )
    return structs.replace(write_statements(schema, run, lake, folder), merge=merge)


def _set_owners(experiment: str) -> str:
    return f"""MERGE INTO embeddings AS target
USING (
  SELECT have.image_path, have.model, links.record_id
  FROM embeddings AS have LEFT JOIN ({_holding(experiment)}) AS links ON links.image_path = have.image_path
  WHERE have.experiment_id = {experiment} AND coalesce(have.record_id, '') <> coalesce(links.record_id, '')
) AS source
ON target.experiment_id = {experiment} AND target.image_path = source.image_path AND target.model = source.model
WHEN MATCHED THEN UPDATE SET record_id = source.record_id"""


def _set_images(experiment: str) -> str:
    return f"""MERGE INTO records AS target
USING (
  SELECT have.record_id, coalesce(links.image_paths, CAST(ARRAY[] AS array(varchar))) AS image_paths
  FROM records AS have LEFT JOIN (
    SELECT record_id, array_agg(image_path ORDER BY place, image_path) AS image_paths
    FROM ({_holding(experiment)}) AS links GROUP BY record_id
  ) AS links ON links.record_id = have.record_id
  WHERE have.experiment_id = {experiment}
    AND have.image_paths <> coalesce(links.image_paths, CAST(ARRAY[] AS array(varchar)))
) AS source
ON target.experiment_id = {experiment} AND target.record_id = source.record_id
WHEN MATCHED THEN UPDATE SET has_image = (cardinality(source.image_paths) > 0), image_paths = source.image_paths"""


def _drop_owned(experiment: str) -> str:
    return f"""MERGE INTO predictions AS target
USING (SELECT DISTINCT image_path FROM links WHERE experiment_id = {experiment}) AS source
ON target.experiment_id = {experiment} AND target.image_path = source.image_path AND target.record_id IS NULL
WHEN MATCHED THEN DELETE"""


def _holding(experiment: str) -> str:
    """The rows of `links` that hold, as `links.resolve` finds them."""
    latest = "ORDER BY uploaded_at DESC, processed_at DESC"
    number = f"mod(-1 - place, {BY_FIT})"
    named = (
        "SELECT image_path, record_id, place FROM (SELECT image_path, record_id, place,"
        f" row_number() OVER (PARTITION BY image_path {latest}, record_id) AS of_image,"
        f" rank() OVER (PARTITION BY record_id {latest}) AS of_record"
        f" FROM links WHERE experiment_id = {experiment} AND place >= 0) WHERE of_image = 1 AND of_record = 1"
        " AND image_path <> ''"
    )
    fitting = (
        f"SELECT image_path, record_id, {AFTER_NAMED} + {number} AS place FROM (SELECT image_path, record_id, place,"
        f" rank() OVER (PARTITION BY image_path ORDER BY -1 - place - {number}) AS of_image,"
        f" count(*) OVER (PARTITION BY image_path, -1 - place - {number}) AS alike"
        f" FROM links WHERE experiment_id = {experiment} AND place < 0 AND image_path <> ''"
        f" AND image_path NOT IN (SELECT image_path FROM links WHERE experiment_id = {experiment} AND place >= 0))"
        " WHERE of_image = 1 AND alike = 1"
    )
    return f"{named} UNION ALL {fitting}"


def _register(schema: TableSchema, lake: str, folder: str) -> tuple[str, str]:
    """The external table's name, and the statement that makes it."""
    columns = ", ".join(f"`{field.name}` {_hive(field.type)}" for field in schema.columns)
    location = f"{lake.rstrip('/')}/work/"
    properties = {
        "projection.enabled": "true",
        "projection.execution.type": "injected",
        "storage.location.template": f"{location}${{execution}}/{folder}/",
    }
    given = ", ".join(f"'{key}' = '{value}'" for key, value in properties.items())
    body = (
        f"({columns}) PARTITIONED BY (`execution` string) STORED AS PARQUET"
        f" LOCATION '{location}' TBLPROPERTIES ({given})"
    )
    name = f"{schema.name}_parts_{sha256(body.encode()).hexdigest()[:8]}"
    return name, f"CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` {body}"


def _merge(schema: TableSchema, parts: str, run: Run) -> str:
    names = schema.columns.names
    changed = [name for name in names if name not in schema.key]
    return "\n".join(
        [
            f"MERGE INTO {_name(schema.name)} AS target",
            f"USING ({_newest(schema, parts, run)}) AS source",
            f"ON {' AND '.join(_matches(schema, run))}",
            f"WHEN MATCHED AND {_not_older(_ranks(schema))} THEN UPDATE SET",
            "  " + ", ".join(f"{_name(name)} = source.{_name(name)}" for name in changed),
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(map(_name, names))})",
            f"  VALUES ({', '.join(f'source.{_name(name)}' for name in names)})",
        ]
    )


def _newest(schema: TableSchema, parts: str, run: Run) -> str:
    """The execution's rows, one a key: the one of the greatest rank, of equal ranks that of the last part."""
    if schema is LINKS:
        return _named_images(parts, run)
    listed = ", ".join(map(_name, schema.columns.names))
    read = ", ".join(_read(field) for field in schema.columns)
    order = ", ".join(f"{rank} DESC" for rank in [*(rank.format("parts") for rank in _ranks(schema)), '"$path"'])
    key = ", ".join(map(_name, schema.key))
    return (
        f"\n  SELECT {listed} FROM (\n    SELECT {read},\n"
        f"      row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place\n"
        f"    FROM {_name(parts)} AS parts WHERE execution = {_text(run.execution_id)}\n  ) WHERE place = 1\n"
    )


def _named_images(parts: str, run: Run) -> str:
    """The execution's rows of `records` as rows of `links`; and all others, while `links` knows nothing of them."""
    experiment = _text(run.experiment_id)
    read = ", ".join(_read(field) for field in LINKS.columns if field.name not in ("place", "image_path"))
    same = ", ".join(_name(field.name) for field in LINKS.columns if field.name not in ("place", "image_path"))
    image = "image_path, CAST(array_position(image_paths, image_path) - 1 AS integer) AS place"
    names = ", ".join(map(_name, LINKS.columns.names))
    key = ", ".join(map(_name, LINKS.key))
    return f"""
  SELECT {names} FROM (
    SELECT {names}, row_number() OVER (PARTITION BY {key} ORDER BY uploaded_at DESC) AS latest FROM (
      SELECT {read}, {image}
      FROM {_name(parts)} CROSS JOIN UNNEST(image_paths) AS named(image_path)
      WHERE execution = {_text(run.execution_id)}
      UNION ALL
      SELECT {same}, {image}
      FROM records CROSS JOIN UNNEST(image_paths) AS named(image_path)
      WHERE experiment_id = {experiment} AND NOT EXISTS (SELECT 1 FROM links WHERE experiment_id = {experiment})
    )
  ) WHERE latest = 1
"""


def _matches(schema: TableSchema, run: Run) -> list[str]:
    """Equality of keys in which null equals null, by expressions that an engine can hash: `IS NOT DISTINCT FROM`
    it would compare row by row. The partition is named as a value, so that no other is read."""
    found = [f"target.{_name(PARTITION)} = {_text(run.experiment_id)}"]
    for name in schema.key:
        sides = [f"{side}.{_name(name)}" for side in ("target", "source")]
        if schema.columns.field(name).nullable:
            sides = [f"coalesce('=' || {side}, '')" for side in sides]
        found.append(" = ".join(sides))
    return found


def _ranks(schema: TableSchema) -> list[str]:
    """What decides between rows of one key, most important first, with `{}` for the table."""
    ranks = []
    for item in schema.precedence:
        name, equals, value = item.partition("=")
        column = f"{{}}.{_name(name.removesuffix('>'))}"
        holds = f"{column} >= {value}" if name.endswith(">") else f"{column} = {_text(value)}"
        ranks.append(f"CASE WHEN {holds} THEN 1 ELSE 0 END" if equals else column)
    return ranks


def _not_older(ranks: list[str]) -> str:
    """Whether the source's ranks, compared one after another, are at least the target's."""
    first, *rest = ranks
    source, target = first.format("source"), first.format("target")
    if not rest:
        return f"{source} >= {target}"
    return f"({source} > {target} OR ({source} = {target} AND {_not_older(rest)}))"


def _read(field: pa.Field) -> str:
    if pa.types.is_timestamp(field.type):
        return f"CAST(with_timezone({_name(field.name)}, 'UTC') AS timestamp(6) with time zone) AS {_name(field.name)}"
    return _name(field.name)


def _hive(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return f"map<{_hive(kind.key_type)},{_hive(kind.item_type)}>"
    if pa.types.is_list(kind):
        return f"array<{_hive(kind.value_type)}>"
    return "timestamp" if pa.types.is_timestamp(kind) else _HIVE[kind]


def _name(name: str) -> str:
    return f'"{name}"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
