-- The heart: a session and every watt-hour in it.

create sequence transaction_number as integer minvalue 1 maxvalue 2147483647 cycle;
comment on sequence transaction_number is 'OCPP 1.6 transaction ids are ours to give: one sequence for all stations, so that none can end another''s session.';

create table session (
    session_id        uuid primary key,
    party_id          uuid        not null references party,
    station_id        text        not null references station,
    location_id       uuid,
    evse_number       integer,
    connector_number  integer,
    transaction_id    text        not null,
    run               smallint    not null default 0,
    start_key         text,
    ocpp_version      text        not null,
    status            text        not null check (status in ('pending', 'active', 'closing', 'completed', 'invalid')),
    charging_state    text check (charging_state in ('connected', 'charging', 'suspended_ev', 'suspended_evse', 'idle')),
    token_uid         text,
    token_key         text        generated always as (lower(token_uid)) stored,
    token_type        text,
    token_id          uuid,
    group_uid         text,
    authorization_status text,
    is_offline        boolean     not null default false,
    is_orphan         boolean     not null default false,
    remote_start_id   integer,
    reservation_id    integer,
    started_at        timestamptz not null,
    ended_at          timestamptz,
    last_event_at     timestamptz not null,
    first_received_at timestamptz not null,
    updated_at        timestamptz not null,
    stop_reason       text,
    stop_token_uid    text,
    energy_wh         numeric     not null default 0 check (energy_wh >= 0),
    energy_before_wh  numeric     not null default 0,
    energy_source     text        not null default 'none' check (energy_source in ('none', 'register', 'interval', 'power')),
    register_before_wh numeric,
    is_start_exact    boolean     not null default false,
    is_end_exact      boolean     not null default false,
    register_start_wh numeric,
    register_start_at timestamptz,
    register_last_wh  numeric,
    register_last_at  timestamptz,
    power_w           numeric,
    power_at          timestamptz,
    peak_power_w      numeric,
    soc_start_percent numeric,
    soc_percent       numeric,
    soc_at            timestamptz,
    n_samples         integer     not null default 0,
    charging_s        integer,
    idle_s            integer,
    seen_seq_nos      integer[]   not null default '{}',
    end_seq_no        integer,
    anomalies         text[]      not null default '{}',
    needs_refold      boolean     not null default false,
    settled_at        timestamptz,
    unique (station_id, transaction_id, run)
) with (fillfactor = 70);
comment on column session.transaction_id is 'What the station calls it; unique per station, never looked up without the station.';
comment on column session.run is 'Counts reuses of a transaction id by one station (some restart their counters after a reset).';
comment on column session.start_key is 'OCPP 1.6: connector, token, timestamp and meterStart of the start; a repeated start finds its session by it.';
comment on column session.seen_seq_nos is 'OCPP 2.x sequence numbers seen, as inclusive ranges [lo, hi, lo, hi, …].';
comment on column session.energy_before_wh is 'Energy counted before the register was last reset.';
comment on column session.register_before_wh is 'The connector''s register at the end of the session before: a start that contradicts it is corrected.';
comment on column session.is_start_exact is 'The start register came as the transaction''s own first reading (meterStart, Transaction.Begin).';
comment on column session.is_end_exact is 'The last register came as the transaction''s own final reading (meterStop, Transaction.End).';
comment on column session.needs_refold is 'Something arrived out of order or implausible: the total is computed anew from all samples when the session settles.';
create unique index session_by_start_key on session (station_id, start_key) where start_key is not null;
create index session_by_party on session (party_id, started_at desc, session_id);
create index session_by_station on session (station_id, started_at desc);
create index session_by_location on session (location_id, started_at desc);
create index session_by_token on session (party_id, token_key, started_at desc) where token_uid is not null;
create index session_open_by_token on session (party_id, token_key) where status in ('pending', 'active');
create index session_open on session (station_id, evse_number) where status in ('pending', 'active', 'closing');

create table sample (
    session_id   uuid        not null,
    sampled_at   timestamptz not null,
    context      text        not null,
    energy_wh    numeric,
    power_w      numeric,
    soc_percent  numeric,
    readings     jsonb       not null,
    received_at  timestamptz not null default now(),
    primary key (session_id, sampled_at, context)
) partition by range (sampled_at);
comment on table sample is 'One row per meter value: the totals people chart as columns, every reading by measurand/phase/location with value and unit in readings.';
create table sample_default partition of sample default;

create table loose_sample (
    station_id   text        not null references station on delete cascade,
    evse_number  integer     not null,
    sampled_at   timestamptz not null,
    context      text        not null,
    energy_wh    numeric,
    power_w      numeric,
    soc_percent  numeric,
    readings     jsonb       not null,
    received_at  timestamptz not null default now(),
    primary key (station_id, evse_number, sampled_at, context)
);
comment on table loose_sample is 'Meter values outside any session (clock-aligned readings of a free connector, the main meter).';

create table signed_reading (
    session_id      uuid        not null,
    sampled_at      timestamptz not null,
    context         text        not null,
    measurand       text        not null,
    digest          bytea       not null,
    encoding        text,
    signing_method  text,
    public_key      text,
    data            bytea       not null,
    received_at     timestamptz not null default now(),
    primary key (session_id, sampled_at, digest)
);
comment on column signed_reading.data is 'The signed text, byte for byte as the station sent it: re-serialised it would no longer verify.';

create table session_event (
    session_id uuid        not null,
    at         timestamptz not null,
    kind       text        not null,
    detail     jsonb       not null default '{}',
    received_at timestamptz not null default now(),
    primary key (session_id, at, kind)
);
comment on table session_event is 'What happened in a session, as the station timed it: started, authorized, state changes, stopped.';

create table charging_period (
    session_id uuid        not null references session on delete cascade,
    started_at timestamptz not null,
    ended_at   timestamptz not null,
    kind       text        not null check (kind in ('charging', 'idle', 'suspended_ev', 'suspended_evse', 'connected')),
    energy_wh  numeric     not null,
    primary key (session_id, started_at)
);
comment on table charging_period is 'A settled session in pieces of one kind each; energies add up to the session''s.';

insert into partitioned_table values ('sample', 'month', 'sampled_at');
