-- The audit log as a chain per party, with what was before and after; webhooks and what was sent to them.

alter table audit_entry add column changes jsonb not null default '{}';
alter table audit_entry add column number bigint;
alter table audit_entry add column previous_hash bytea;
alter table audit_entry add column hash bytea;
comment on column audit_entry.changes is 'Fields that changed: {"name": {"before": …, "after": …}}. Never a secret.';
comment on column audit_entry.number is 'Its place in the party''s chain, from 1, without gaps.';
create unique index audit_entry_chain on audit_entry (party_id, number);
create index audit_entry_unchained on audit_entry (party_id, entry_id) where number is null;
create index audit_entry_by_object on audit_entry (party_id, object, at desc);

create table audit_head (
    party_id   uuid        primary key references party,
    number     bigint      not null,
    hash       bytea       not null,
    updated_at timestamptz not null default now()
);
comment on table audit_head is 'The last link of each party''s chain: the end of the log cannot be cut off unseen.';

-- What is hashed, as text. accounts/audit/chain.py composes the same; docs/audit.md tells outsiders.
create function audit_content(e audit_entry) returns text language sql stable as $$
    select '[' || concat_ws(',',
        to_json(e.party_id::text)::text,
        to_json(to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::text,
        to_json(e.actor)::text, to_json(e.action)::text, to_json(e.object)::text,
        e.detail::text, e.changes::text, coalesce(to_json(e.remote_address)::text, 'null')) || ']'
$$;

-- Links what this transaction wrote for a party, at its commit: the party's head is locked for that moment only, after
-- every other lock was taken. Fires for every row; the first firing links all.
create function audit_link() returns trigger language plpgsql as $$
declare
    entry    audit_entry;
    last     audit_head;
begin
    if not exists (select from audit_entry where party_id = new.party_id and number is null) then
        return null;
    end if;
    insert into audit_head (party_id, number, hash) values (new.party_id, 0, sha256('')) on conflict do nothing;
    select * into last from audit_head where party_id = new.party_id for update;
    for entry in select * from audit_entry where party_id = new.party_id and number is null order by entry_id loop
        last.number := last.number + 1;
        entry.previous_hash := last.hash;
        last.hash := sha256(convert_to(encode(last.hash, 'hex') || E'\n' || audit_content(entry), 'UTF8'));
        update audit_entry set number = last.number, previous_hash = entry.previous_hash, hash = last.hash
        where entry_id = entry.entry_id;
    end loop;
    update audit_head set number = last.number, hash = last.hash, updated_at = now() where party_id = new.party_id;
    return null;
end $$;

-- Entries of before, in the order in which they were written.
do $$
declare
    entry audit_entry;
    last  audit_head;
begin
    for entry in select * from audit_entry order by party_id, at, entry_id loop
        if last.party_id is distinct from entry.party_id then
            last.party_id := entry.party_id;
            last.number := 0;
            last.hash := sha256('');
        end if;
        last.number := last.number + 1;
        entry.previous_hash := last.hash;
        last.hash := sha256(convert_to(encode(last.hash, 'hex') || E'\n' || audit_content(entry), 'UTF8'));
        update audit_entry set number = last.number, previous_hash = entry.previous_hash, hash = last.hash
        where entry_id = entry.entry_id;
        insert into audit_head (party_id, number, hash) values (last.party_id, last.number, last.hash)
        on conflict (party_id) do update set number = excluded.number, hash = excluded.hash;
    end loop;
end $$;

create constraint trigger audit_link after insert on audit_entry
    deferrable initially deferred for each row execute function audit_link();

-- What is linked is never changed and never deleted, not by a slip either.
create function audit_keep() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is only ever added to' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_keep_rows before delete on audit_entry for each row execute function audit_keep();
create trigger audit_keep_links before update on audit_entry for each row when (old.hash is not null)
    execute function audit_keep();

create table webhook (
    webhook_id     uuid        primary key,
    party_id       uuid        not null references party,
    url            text        not null,
    description    text        not null default '',
    kinds          text[],
    is_enabled     boolean     not null default true,
    disabled_why   text        check (disabled_why in ('by_hand', 'gone', 'failing')),
    disabled_at    timestamptz,
    failing_since  timestamptz,
    last_success_at timestamptz,
    version        integer     not null default 1,
    created_at     timestamptz not null default now(),
    created_by     text        not null,
    updated_at     timestamptz not null default now()
);
comment on column webhook.kinds is 'Of which events it hears; null: of all.';
comment on column webhook.failing_since is 'When the first request failed since the last one that was taken.';
create index webhook_by_party on webhook (party_id, created_at, webhook_id);

create table webhook_secret (
    secret_id  uuid        primary key,
    webhook_id uuid        not null references webhook on delete cascade,
    sealed     bytea       not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz
);
comment on table webhook_secret is 'What requests are signed with, sealed under the installation''s secret key. After a rotation the old one signs too, until it expires.';
create index webhook_secret_by_webhook on webhook_secret (webhook_id);

create table webhook_delivery (
    delivery_id   uuid        primary key,
    webhook_id    uuid        not null references webhook on delete cascade,
    party_id      uuid        not null,
    event_id      bigint,
    kind          text        not null,
    subject       text        not null,
    body          text        not null,
    is_example    boolean     not null default false,
    status        text        not null default 'waiting' check (status in ('waiting', 'delivered', 'failed')),
    n_tries       integer     not null default 0,
    n_attempts    integer     not null default 0,
    next_at       timestamptz not null default now(),
    claimed_until timestamptz,
    created_at    timestamptz not null default now(),
    finished_at   timestamptz,
    unique (webhook_id, event_id)
);
comment on column webhook_delivery.n_tries is 'Requests since it was put into the queue, or was last replayed: the next pause depends on it.';
comment on column webhook_delivery.claimed_until is 'A worker is at it until then at the latest; it may have died meanwhile.';
create index webhook_delivery_waiting on webhook_delivery (webhook_id, next_at) where status = 'waiting';
create index webhook_delivery_log on webhook_delivery (webhook_id, created_at desc, delivery_id desc);
create index webhook_delivery_old on webhook_delivery (created_at);

create table webhook_attempt (
    delivery_id uuid        not null references webhook_delivery on delete cascade,
    number      integer     not null,
    at          timestamptz not null,
    duration_ms integer     not null,
    status_code integer,
    answer      text,
    error       text,
    primary key (delivery_id, number)
);
