-- What sessions cost while they go on, where cover ends, and what meters signed.

create table session_cost (
    session_id uuid        primary key references session on delete cascade,
    party_id   uuid        not null references party,
    total      numeric,
    currency   text,
    price_kwh  numeric,
    price_text text,
    at         timestamptz not null,
    is_final   boolean     not null default false,
    seen       bigint      not null,
    looked_at  timestamptz not null,
    until_at   timestamptz,
    tally      bytea,
    check ((total is null) = (currency is null))
) with (fillfactor = 70);
comment on table session_cost is 'What a session costs so far, with taxes, and what it takes to go on with counting.';
comment on column session_cost.total is 'Null: no price is known. Of a final one what it settled with; its CDR is what counts.';
comment on column session_cost.at is 'Until when it is counted, by the station''s clock.';
comment on column session_cost.seen is 'The version of the session''s row (xmin) that it was reckoned from.';
comment on column session_cost.until_at is 'Readings up to then are in the tally; those after it are counted anew each time.';
create index session_cost_going_on on session_cost (session_id) where not is_final;
create index session_cost_by_party on session_cost (party_id);

create table cover_notice (
    session_id   uuid        not null references session on delete cascade,
    party_id     uuid        not null references party,
    kind         text        not null check (kind in ('ending', 'ran_out')),
    whose        text        not null check (whose in ('cover', 'driver')),
    limit_amount numeric     not null,
    currency     text        not null,
    total        numeric     not null,
    noticed_at   timestamptz not null,
    tried_at     timestamptz,
    n_tries      integer     not null default 0,
    primary key (session_id, kind, whose, limit_amount)
);
comment on table cover_notice is 'Where a session came near its limit of cost, or to it: each is told once for each limit.';
comment on column cover_notice.tried_at is 'When the station was last asked to end the session.';
create index cover_notice_by_party on cover_notice (party_id);

create table driver_price_limit (
    driver_id uuid        primary key references driver on delete cascade,
    party_id  uuid        not null references party,
    amount    numeric     not null check (amount > 0),
    currency  text        not null,
    set_at    timestamptz not null
);
comment on table driver_price_limit is 'What a driver wants to pay for a session at most.';
create index driver_price_limit_by_party on driver_price_limit (party_id);

create table meter_key (
    meter_key_id uuid        primary key,
    party_id     uuid        not null references party,
    station_id   text        not null references station on delete cascade,
    evse_number  integer     not null,
    public_key   text        not null,
    curve        text        not null,
    serial       text        not null default '',
    source       text        not null check (source in ('registered', 'message')),
    since_at     timestamptz not null,
    until_at     timestamptz,
    added_by     text        not null
);
comment on table meter_key is 'Public keys of meters, by EVSE (0: the station''s only meter). The one without an end is pinned: readings are checked with it.';
comment on column meter_key.public_key is 'DER, hexadecimal, lower case.';
create unique index meter_key_pinned on meter_key (station_id, evse_number) where until_at is null;
create index meter_key_by_party on meter_key (party_id, station_id);

alter table signed_reading
    add column format     text,
    add column verdict    text check (verdict in ('verified', 'failed', 'no_key', 'not_checkable')),
    add column why        text not null default '',
    add column reading_wh numeric,
    add column read_at    timestamptz,
    add column key_used   text;
comment on column signed_reading.verdict is 'Null: not looked at yet. Whether the signature is the meter''s, by the pinned key or the one that came with it.';
comment on column signed_reading.key_used is 'The public key it was checked with: DER, hexadecimal.';

create table signed_session (
    session_id uuid        primary key references session on delete cascade,
    party_id   uuid        not null references party,
    verdict    text        not null check (verdict in ('verified', 'failed', 'no_key', 'not_checkable')),
    reasons    jsonb       not null,
    n_readings integer     not null,
    energy_wh  numeric,
    checked_at timestamptz not null
);
comment on table signed_session is 'What the signed readings of a settled session are worth.';
comment on column signed_session.energy_wh is 'The difference of the signed registers, where there are two.';
create index signed_session_by_party on signed_session (party_id, checked_at desc);

alter table party add column signed_doubt text not null default 'never' check (signed_doubt in ('never', 'failed', 'missing'));
comment on column party.signed_doubt is 'Which sessions are not billed by themselves: none for their signatures, those that fail the check, or also those without verified readings at meters with a registered key.';
