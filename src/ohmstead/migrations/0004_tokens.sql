-- Who may charge.

create table token (
    token_id      uuid primary key,
    party_id      uuid        not null references party,
    uid           text        not null check (length(uid) between 1 and 255),
    uid_key       text        not null generated always as (lower(uid)) stored,
    type          text        not null default 'ISO14443'
        check (type in ('ISO14443', 'ISO15693', 'eMAID', 'EVCCID', 'VIN', 'KeyCode', 'MacAddress', 'Central', 'DirectPayment', 'NoAuthorization', 'Local')),
    status        text        not null default 'active' check (status in ('active', 'blocked')),
    group_uid     text,
    is_master     boolean     not null default false,
    contract_id   text,
    label         text        not null default '',
    valid_from    timestamptz,
    valid_until   timestamptz,
    location_ids  uuid[],
    weekdays      smallint    not null default 127 check (weekdays between 0 and 127),
    from_minute   smallint    check (from_minute between 0 and 1439),
    until_minute  smallint    check (until_minute between 1 and 1440),
    max_sessions  smallint    default 1 check (max_sessions > 0),
    version       integer     not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (party_id, uid_key)
);
comment on column token.uid is 'As the reader sends it; compared without regard to case, since readers disagree about it.';
comment on column token.is_master is 'Belongs to the master pass group: may stop every session (OCPP 2.x C16).';
comment on column token.weekdays is 'Bit 0 is Monday; the token is good on days whose bit is set, in the location''s time zone.';
comment on column token.max_sessions is 'How many sessions at once; null for any number.';
create index token_by_group on token (party_id, group_uid) where group_uid is not null;
