-- Reservations; charging profiles and what stations tell about power; settlements, battery swaps, costs told.

create sequence reservation_number as integer minvalue 1 maxvalue 2147483647 cycle;
comment on sequence reservation_number is 'What stations know a reservation by; one sequence for all, so that no station meets a number twice.';

create table outlet_lane (
    lane        integer generated always as identity primary key check (lane < 536870912),
    station_id  text    not null,
    evse_number integer not null,
    unique (station_id, evse_number),
    foreign key (station_id, evse_number) references evse on delete cascade
);
comment on table outlet_lane is 'A number for every outlet that was ever reserved: its place on the one line of all outlets'' times.';

create function reservation_slot(lane integer, from_at timestamptz, until_at timestamptz) returns int8range
    language sql immutable parallel safe
    return int8range(lane::bigint * 17179869184 + floor(extract(epoch from from_at))::bigint,
                     lane::bigint * 17179869184 + ceil(extract(epoch from until_at))::bigint);
comment on function reservation_slot is 'An outlet''s seconds as a piece of one line: each lane has 2^34 of them, which is until the year 2514. Ranges of two outlets never meet, so one range says outlet and time, and no extension is needed to exclude overlaps.';

create table reservation (
    reservation_id uuid        primary key,
    party_id       uuid        not null references party,
    number         integer     not null unique default nextval('reservation_number'),
    station_id     text        not null references station,
    evse_number    integer     not null,
    lane           integer     not null references outlet_lane on delete cascade,
    location_id    uuid,
    scope          text        not null check (scope in ('evse', 'station', 'location')),
    connector_type text,
    token_uid      text        not null,
    token_key      text        generated always as (lower(token_uid)) stored,
    token_type     text        not null default 'ISO14443',
    group_uid      text,
    priority       smallint    not null default 0 check (priority between 0 and 9),
    from_at        timestamptz not null check (from_at >= '2000-01-01Z'),
    until_at       timestamptz not null check (until_at < '2500-01-01Z'),
    slot           int8range   not null generated always as (reservation_slot(lane, from_at, until_at)) stored,
    status         text        not null check (status in ('requested', 'accepted', 'refused', 'active', 'used', 'expired', 'no_show', 'cancelled')),
    reason         text,
    is_held        boolean     not null default false,
    held_at        timestamptz,
    tell_at        timestamptz not null,
    told_at        timestamptz,
    session_id     uuid,
    requested_by   text        not null,
    version        integer     not null default 1,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    check (until_at > from_at),
    constraint reservation_no_double_booking
        exclude using gist (slot with &&) where (status in ('requested', 'accepted', 'active'))
);
comment on column reservation.evse_number is 'The outlet it holds in our books, whatever the scope; where any outlet will do, the station may give another.';
comment on column reservation.is_held is 'The station said that it keeps the outlet free, and has not let it go since.';
comment on column reservation.held_at is 'When it first said so: an answer that is heard of again means nothing new.';
comment on column reservation.tell_at is 'When the station is to be told; OCPP knows no beginning, so it is told when the time comes.';
create index reservation_by_party on reservation (party_id, from_at desc, reservation_id);
create index reservation_open on reservation (station_id, evse_number) where status in ('requested', 'accepted', 'active');
create index reservation_ending on reservation (until_at) where status in ('requested', 'accepted', 'active');

create table reservation_group (
    party_id  uuid     not null references party,
    group_uid text     not null,
    priority  smallint not null check (priority between 0 and 9),
    primary key (party_id, group_uid)
);
comment on table reservation_group is 'Groups whose reservations take precedence over others that have not begun; groups that are not here have 0.';

create sequence charging_profile_number as integer minvalue 1 maxvalue 2147483647 cycle;

create table charging_profile (
    station_id     text        not null references station on delete cascade,
    profile_id     integer     not null,
    evse_number    integer     not null,
    purpose        text        not null,
    timing         text        not null,
    stack_level    integer     not null,
    transaction_id text,
    valid_from     timestamptz,
    valid_until    timestamptz,
    profile        jsonb       not null,
    source         text        not null default 'CSO',
    status         text        not null check (status in ('sent', 'held', 'refused', 'cleared', 'unknown')),
    detail         text,
    set_by         text        not null,
    set_at         timestamptz not null default now(),
    confirmed_at   timestamptz,
    primary key (station_id, profile_id)
);
comment on table charging_profile is 'What stations hold of charging profiles: those that we set and what they answered, and those that they told us of.';
comment on column charging_profile.status is 'sent: no answer yet; held: the station has it; refused; cleared: it has it no more; unknown: it never answered.';

create table profile_report (
    station_id  text        not null references station on delete cascade,
    request_id  integer     not null,
    n_chunks    integer     not null default 0,
    is_complete boolean     not null default false,
    profile_ids integer[]   not null default '{}',
    is_full     boolean     not null default false,
    started_at  timestamptz not null default now(),
    primary key (station_id, request_id)
);
comment on table profile_report is 'ReportChargingProfiles in the making: what a request has brought so far.';
comment on column profile_report.is_full is 'All profiles were asked for: those that it does not name are not there any more.';

create table composite_schedule (
    station_id   text        not null references station on delete cascade,
    evse_number  integer     not null,
    rate_unit    text        not null,
    starts_at    timestamptz not null,
    duration_s   integer     not null,
    periods      jsonb       not null,
    received_at  timestamptz not null default now(),
    primary key (station_id, evse_number, rate_unit)
);
comment on table composite_schedule is 'What a station said it would deliver, all its profiles taken together, when it was last asked.';

create table charging_limit (
    station_id  text        not null references station on delete cascade,
    evse_number integer     not null,
    source      text        not null,
    is_grid_critical boolean,
    is_local_generation boolean,
    schedules   jsonb       not null default '[]',
    since       timestamptz not null,
    primary key (station_id, evse_number, source)
);
comment on table charging_limit is 'Limits that somebody else set at the station (energy manager, grid operator), until it says that they are gone; EVSE 0 is the station.';

create table charging_needs (
    needs_id       uuid        primary key,
    station_id     text        not null references station on delete cascade,
    evse_number    integer     not null,
    received_at    timestamptz not null,
    needs          jsonb       not null,
    status         text        not null default 'received' check (status in ('received', 'planned', 'refused', 'impossible', 'superseded')),
    detail         text,
    transaction_id text,
    profile_id     integer,
    plan           jsonb,
    ev_schedule    jsonb,
    ev_schedule_at timestamptz
);
comment on table charging_needs is 'What a car asked for (ISO 15118), the plan that it was given, and the schedule that the car chose.';
create index charging_needs_by_outlet on charging_needs (station_id, evse_number, received_at desc);

create table priority_charging (
    station_id     text        not null references station on delete cascade,
    transaction_id text        not null,
    is_active      boolean     not null,
    changed_at     timestamptz not null,
    primary key (station_id, transaction_id)
);

create table settlement (
    settlement_id  bigint generated always as identity primary key,
    party_id       uuid        not null references party,
    station_id     text        not null references station on delete cascade,
    psp_ref        text        not null,
    transaction_id text,
    status         text        not null,
    status_info    text,
    amount         numeric     not null,
    settled_at     timestamptz not null,
    receipt_id     text,
    receipt_url    text,
    vat_number     text,
    vat_company    jsonb,
    received_at    timestamptz not null default now(),
    unique (station_id, psp_ref, status, settled_at)
);
comment on table settlement is 'What payment terminals told of payments settled; a repeat is kept once.';
create index settlement_by_party on settlement (party_id, settlement_id desc);

create table battery_swap (
    station_id  text        not null references station on delete cascade,
    request_id  integer     not null,
    event       text        not null check (event in ('in', 'out', 'out_timeout')),
    party_id    uuid        not null references party,
    token_uid   text        not null,
    batteries   jsonb       not null,
    received_at timestamptz not null default now(),
    primary key (station_id, request_id, event)
);
comment on table battery_swap is 'Batteries that went into and came out of a swap station (OCPP 2.1 S01–S04).';
create index battery_swap_by_party on battery_swap (party_id, received_at desc);

create table cost_told (
    session_id uuid        primary key references session on delete cascade,
    amount     numeric     not null,
    currency   text        not null,
    is_final   boolean     not null default false,
    told_at    timestamptz not null
);
comment on table cost_told is 'The cost of a session as its station was last told.';
