"""The SQL by which Athena does what `commit` does, table by table, written from `schemas` alone.

The parts are read through an external table whose partitions are executions: their folders follow from the name
(partition projection, `injected`), so nothing is registered for an execution, and nothing has to be dropped after it.
Its name holds a digest of its columns and folders: another version of Pixlake makes another one. An external table
has times to the millisecond, without zone; they are UTC.
"""

from hashlib import sha256

import pyarrow as pa

from pixlake.iceberg.keys import PARTITION
from pixlake.messages import Run, TableStatements
from pixlake.schemas import TableSchema

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
    """The statements for one table. `folder` below the execution's work folder holds the table's Parquet files."""
    parts, register = _register(schema, lake, folder)
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
    listed = ", ".join(map(_name, schema.columns.names))
    read = ", ".join(_read(field) for field in schema.columns)
    order = ", ".join(f"{rank} DESC" for rank in [*(rank.format("parts") for rank in _ranks(schema)), '"$path"'])
    key = ", ".join(map(_name, schema.key))
    return (
        f"\n  SELECT {listed} FROM (\n    SELECT {read},\n"
        f"      row_number() OVER (PARTITION BY {key} ORDER BY {order}) AS place\n"
        f"    FROM {_name(parts)} AS parts WHERE execution = {_text(run.execution_id)}\n  ) WHERE place = 1\n"
    )


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
        column = f"{{}}.{_name(name)}"
        ranks.append(f"CASE WHEN {column} = {_text(value)} THEN 1 ELSE 0 END" if equals else column)
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
