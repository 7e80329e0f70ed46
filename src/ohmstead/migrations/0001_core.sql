-- What every room stands on: the outbox with its readers' cursors, and partitions.

create table outbox (
    event_id   bigint generated always as identity primary key,
    xid        xid8        not null default pg_current_xact_id(),
    at         timestamptz not null default clock_timestamp(),
    party_id   uuid,
    kind       text        not null,
    subject    text        not null,
    payload    jsonb       not null
);
comment on table outbox is 'Facts that others act on afterwards. Written in the transaction that made them true.';
create index outbox_by_xid on outbox (xid, event_id);
create index outbox_by_subject on outbox (subject, event_id);

-- A reader takes windows of finished transactions [window_from, window_to) and goes through each in event order.
-- An event's number is drawn after its subject's row lock was obtained, and a transaction that waited for another's
-- row lock ends after it, so both fall into one window: order per subject holds, and no late commit is skipped.
create table outbox_cursor (
    consumer      text primary key,
    window_from   xid8        not null,
    window_to     xid8        not null,
    done_event_id bigint      not null default 0,
    failures      integer     not null default 0,
    last_error    text,
    updated_at    timestamptz not null default now()
);

create table partitioned_table (
    table_name text primary key,
    step       text not null check (step in ('day', 'month')),
    time_column text not null
);
comment on table partitioned_table is 'Tables split by time: partitions are made ahead and dropped by retention.';

-- Makes the partition that holds p_at, moving rows that the default partition took meanwhile. True when one was made.
create function ensure_partition(p_table text, p_at timestamptz) returns boolean language plpgsql as $$
declare
    spec  partitioned_table;
    lo    timestamptz;
    hi    timestamptz;
    part  text;
begin
    select * into strict spec from partitioned_table where table_name = p_table;
    lo := date_trunc(spec.step, p_at at time zone 'UTC') at time zone 'UTC';
    hi := ((lo at time zone 'UTC') + case spec.step when 'day' then interval '1 day' else interval '1 month' end) at time zone 'UTC';
    part := p_table || to_char(lo at time zone 'UTC', case spec.step when 'day' then '"_p"YYYYMMDD' else '"_p"YYYYMM' end);
    if to_regclass(part) is not null then
        return false;
    end if;
    execute format('create table %I (like %I including defaults including constraints)', part, p_table);
    execute format('with moved as (delete from %I where %I >= %L and %I < %L returning *) insert into %I select * from moved',
                   p_table || '_default', spec.time_column, lo, spec.time_column, hi, part);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', p_table, part, lo, hi);
    return true;
end $$;

-- Drops partitions that lie wholly before p_before; returns their names.
create function drop_partitions(p_table text, p_before timestamptz) returns setof text language plpgsql as $$
declare
    part record;
    hi   timestamptz;
begin
    for part in
        select c.relname, pg_get_expr(c.relpartbound, c.oid) as bound
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = p_table::regclass and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
    loop
        hi := (regexp_match(part.bound, 'TO \(''([^'']+)''\)'))[1]::timestamptz;
        if hi <= p_before then
            execute format('drop table %I', part.relname);
            return next part.relname;
        end if;
    end loop;
end $$;
