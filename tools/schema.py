"""The schema that all migrations add up to, as text: `python tools/schema.py` writes src/ohmstead/migrations/schema.sql.

Read from PostgreSQL's catalogue in a canonical order, so that a newer server's dump format changes nothing. It is for
people and for the test that the file and the migrations agree; databases are only ever made by the migrations.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import asyncpg

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "src" / "ohmstead" / "migrations" / "schema.sql"
HEAD = "-- What the migrations add up to. Written by tools/schema.py; change a migration, not this file.\n"

_TABLES = """
select c.oid, c.relname, c.relkind = 'p' as is_partitioned, pg_get_partkeydef(c.oid) as partition_key,
       obj_description(c.oid) as comment, coalesce(array_to_string(c.reloptions, ', '), '') as options
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
order by c.relname
"""
_COLUMNS = """
select a.attname as name, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as is_required,
       pg_get_expr(d.adbin, d.adrelid) as expression, a.attidentity::text as identity, a.attgenerated::text as generated,
       col_description(a.attrelid, a.attnum) as comment
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
# PostgreSQL 18 lists NOT NULL as constraints too (contype n); they already stand with their columns.
_CONSTRAINTS = """
select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
where conrelid = $1 and contype <> 'n' order by contype, conname
"""
_INDEXES = """
select pg_get_indexdef(i.indexrelid) as definition from pg_index i join pg_class c on c.oid = i.indexrelid
where i.indrelid = $1 and not exists (select from pg_constraint k where k.conindid = i.indexrelid) order by c.relname
"""
_SEQUENCES = """
select s.sequencename as name, s.data_type::text as type, s.min_value, s.max_value, s.cycle from pg_sequences s
join pg_class c on c.relname = s.sequencename and c.relnamespace = 'public'::regnamespace
where s.schemaname = 'public' and not exists (select from pg_depend d where d.objid = c.oid and d.deptype in ('a', 'i'))
order by 1
"""
_FUNCTIONS = (
    "select pg_get_functiondef(oid) as text from pg_proc where pronamespace = 'public'::regnamespace order by 1"
)


async def describe(conn: asyncpg.Connection[asyncpg.Record]) -> str:
    """The schema `public` as text."""
    parts = [HEAD]
    for row in await conn.fetch(_SEQUENCES):
        cycle = " cycle" if row["cycle"] else ""
        parts.append(f"sequence {row['name']} {row['type']} {row['min_value']}..{row['max_value']}{cycle}\n")
    for table in await conn.fetch(_TABLES):
        parts.append(await _table(conn, table))
    for row in await conn.fetch(_FUNCTIONS):
        parts.append(row["text"].rstrip() + "\n")
    return "\n".join(parts)


async def _table(conn: asyncpg.Connection[asyncpg.Record], table: asyncpg.Record) -> str:
    how = f" partition by {table['partition_key']}" if table["is_partitioned"] else ""
    options = f" with ({table['options']})" if table["options"] else ""
    lines = [f"table {table['relname']}{how}{options}"]
    if table["comment"]:
        lines.append(f"    -- {table['comment']}")
    for column in await conn.fetch(_COLUMNS, table["oid"]):
        text = f"    {column['name']} {column['type']}"
        if column["is_required"]:
            text += " not null"
        if column["generated"]:
            text += f" generated as ({column['expression']})"
        elif column["identity"]:
            text += " generated as identity"
        elif column["expression"]:
            text += f" default {column['expression']}"
        if column["comment"]:
            text += f"  -- {column['comment']}"
        lines.append(text)
    lines += [f"    constraint {c['name']} {c['definition']}" for c in await conn.fetch(_CONSTRAINTS, table["oid"])]
    lines += [f"    {i['definition']}" for i in await conn.fetch(_INDEXES, table["oid"])]
    return "\n".join(lines) + "\n"


async def main() -> None:
    from ohmstead import embedded
    from ohmstead.core.migrations import migrate
    from ohmstead.settings import Settings

    with tempfile.TemporaryDirectory(prefix="ohmstead-schema-") as folder:
        Path(folder).chmod(0o755)
        servers = await embedded.start(Settings(data_dir=Path(folder) / "data"), durable=False)
        try:
            await migrate(servers.database_url)
            conn = await asyncpg.connect(servers.database_url)
            FILE.write_text(await describe(conn))
            await conn.close()
        finally:
            await servers.stop()
    print(f"wrote {FILE.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "src"))
    asyncio.run(main())
