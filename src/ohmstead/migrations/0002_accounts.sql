-- Who owns data and who may act on it.

create table party (
    party_id     uuid primary key,
    name         text        not null,
    country_code text        not null default 'XX',
    party_code   text        not null default 'OHM',
    currency     text        not null default 'EUR',
    time_zone    text        not null default 'UTC',
    created_at   timestamptz not null default now(),
    unique (country_code, party_code)
);

create table operator (
    operator_id uuid primary key,
    party_id    uuid        not null references party,
    name        text        not null,
    email       text,
    role        text        not null default 'owner' check (role in ('owner', 'operations', 'technician', 'finance', 'support', 'read_only')),
    created_at  timestamptz not null default now(),
    disabled_at timestamptz
);
create unique index operator_email on operator (lower(email)) where email is not null;

create table sign_in_link (
    link_hash   bytea primary key,
    operator_id uuid        not null references operator on delete cascade,
    created_at  timestamptz not null default now(),
    expires_at  timestamptz not null,
    used_at     timestamptz
);

create table web_session (
    cookie_hash    bytea primary key,
    operator_id    uuid        not null references operator on delete cascade,
    csrf_token     text        not null,
    created_at     timestamptz not null default now(),
    last_seen_at   timestamptz not null default now(),
    expires_at     timestamptz not null,
    remote_address text,
    user_agent     text
);
create index web_session_by_operator on web_session (operator_id);

create table api_key (
    api_key_id   uuid primary key,
    party_id     uuid        not null references party,
    name         text        not null,
    key_start    text        not null,
    key_hash     bytea       not null unique,
    scopes       text[]      not null,
    created_at   timestamptz not null default now(),
    created_by   text        not null,
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz
);
create index api_key_by_party on api_key (party_id);

create table audit_entry (
    entry_id       bigint generated always as identity primary key,
    at             timestamptz not null default now(),
    party_id       uuid        not null references party,
    actor          text        not null,
    action         text        not null,
    object         text        not null,
    detail         jsonb       not null default '{}',
    remote_address text
);
create index audit_entry_by_party on audit_entry (party_id, at desc);

create table idempotent_request (
    party_id    uuid        not null references party,
    key         text        not null,
    fingerprint bytea       not null,
    status      smallint,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz not null default now(),
    primary key (party_id, key)
);
comment on table idempotent_request is 'Answers to POST requests with an Idempotency-Key, kept for a day. status is null while the first one runs.';
