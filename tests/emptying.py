"""How a test finds the database empty, at little cost.

TRUNCATE of a table that others refer to takes all of those along, two hundred tables for the sake of four rows, and has every
connection forget its plans of them. So what fits a page is deleted, with the triggers asleep that guard what must be kept,
and only a table that has grown is truncated. Its rows stay in the order of their insertion either way.
"""

import asyncpg

from ohmstead.core.db import Pool
from ohmstead.embedded import Layout
from ohmstead.settings import Settings

_EMPTY = """
do $$
declare
    may_delete constant boolean := has_parameter_privilege('session_replication_role', 'set');
    one record;
    found boolean;
    grown text;
begin
    set local lock_timeout = '5s';
    if may_delete then
        perform set_config('session_replication_role', 'replica', true);
    end if;
    for one in
        select c.oid, format('%I.%I', n.nspname, c.relname) as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r' and n.nspname = 'public' and not (c.relname = any (string_to_array('KEPT', ',')))
    loop
        execute 'select exists (select from ' || one.name || ')' into found;
        if not found then
            continue;
        elsif may_delete and pg_relation_size(one.oid) <= current_setting('block_size')::int then
            execute 'delete from ' || one.name;
            perform setval(s.seqrelid, s.seqstart, false) from pg_depend d join pg_sequence s on s.seqrelid = d.objid
            where d.classid = 'pg_class'::regclass and d.refobjid = one.oid and d.deptype in ('a', 'i');
        else
            grown := concat_ws(', ', grown, one.name);
        end if;
    end loop;
    if grown is not null then
        execute 'truncate ' || grown || ' restart identity cascade';
    end if;
end $$
"""


async def statement(pool: Pool) -> str:
    """What empties a migrated database, but for rows that a migration wrote or that the schema lives by."""
    kept = {"schema_migration", "partitioned_table"}
    for row in await pool.fetch(
        "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
    ):
        if await pool.fetchval(f'select exists (select from public."{row["relname"]}")'):
            kept.add(row["relname"])
    return _EMPTY.replace("KEPT", ",".join(sorted(kept)))


async def allow(settings: Settings) -> None:
    """Let the built-in PostgreSQL's user put triggers to sleep. On a server of somebody else's all is truncated."""
    kept = Layout(settings.data_dir).remembered()
    conn = await asyncpg.connect(
        host="127.0.0.1",
        port=kept.postgres_port,
        user="postgres",
        password=kept.superuser_password,
        database="postgres",
    )
    try:
        await conn.execute("grant set on parameter session_replication_role to ohmstead")
    finally:
        await conn.close()
