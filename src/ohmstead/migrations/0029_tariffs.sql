-- Tariffs with their versions, where they apply, what sessions keep of them, and prices of markets.

create table tariff (
    tariff_id  uuid primary key,
    party_id   uuid        not null references party,
    name       text        not null,
    version    integer     not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (party_id, name)
);
comment on table tariff is 'A tariff by its name. Its rules stand in tariff_version; version is the newest of them.';

create table tariff_version (
    tariff_id    uuid        not null references tariff,
    version      integer     not null,
    party_id     uuid        not null references party,
    content      jsonb       not null,
    published_at timestamptz not null,
    published_by text        not null,
    primary key (tariff_id, version)
);
comment on table tariff_version is 'The rules as they were published. Never changed and never deleted: sessions and invoices refer to them.';

create table tariff_assignment (
    assignment_id    uuid primary key,
    party_id         uuid        not null references party,
    tariff_id        uuid        not null references tariff,
    level            text        not null check (level in ('connector', 'station', 'location', 'party')),
    location_id      uuid        references location on delete cascade,
    station_id       text        references station on delete cascade,
    evse_number      integer     check (evse_number > 0),
    connector_number integer     check (connector_number > 0),
    group_uid        text,
    assigned_at      timestamptz not null,
    assigned_by      text        not null,
    ended_at         timestamptz,
    ended_by         text,
    check ((level = 'location') = (location_id is not null)),
    check ((level in ('station', 'connector')) = (station_id is not null)),
    check ((level = 'connector') = (evse_number is not null)),
    check (connector_number is null or evse_number is not null)
);
comment on table tariff_assignment is 'Where and for whom a tariff applies. The narrower place wins; at one place, one for the token''s group before one for everybody; of several, the newest.';
comment on column tariff_assignment.connector_number is 'Null: every connector of the EVSE.';
comment on column tariff_assignment.ended_at is 'An assignment that ended stays: what applied to a session at its start can always be told.';
create unique index tariff_assignment_once on tariff_assignment
    (party_id, tariff_id, level, coalesce(location_id, '00000000-0000-0000-0000-000000000000'), coalesce(station_id, ''),
     coalesce(evse_number, 0), coalesce(connector_number, 0), coalesce(group_uid, '')) where ended_at is null;
create index tariff_assignment_by_tariff on tariff_assignment (tariff_id);
create index tariff_assignment_by_station on tariff_assignment (station_id) where station_id is not null;
create index tariff_assignment_by_location on tariff_assignment (location_id) where location_id is not null;
create index tariff_assignment_of_party on tariff_assignment (party_id) where level = 'party';

create table session_tariff (
    session_id    uuid        primary key references session on delete cascade,
    party_id      uuid        not null references party,
    tariff_id     uuid        not null,
    version       integer     not null,
    assignment_id uuid        not null,
    time_zone     text        not null,
    kept_at       timestamptz not null default now(),
    foreign key (tariff_id, version) references tariff_version
);
comment on column session_tariff.assignment_id is 'Why this tariff; the assignment goes with a location or station that is deleted.';
comment on table session_tariff is 'The tariff that a session began with, and keeps whatever is published or assigned later.';

create table price_series (
    party_id   uuid        not null references party,
    name       text        not null,
    currency   text        not null,
    updated_at timestamptz not null default now(),
    primary key (party_id, name)
);
comment on table price_series is 'Prices of a market by name, for tariffs that follow it.';

create table price_interval (
    party_id  uuid        not null,
    name      text        not null,
    starts_at timestamptz not null,
    ends_at   timestamptz not null,
    price_kwh numeric     not null,
    primary key (party_id, name, starts_at),
    foreign key (party_id, name) references price_series on delete cascade,
    check (ends_at > starts_at)
);
comment on table price_interval is 'What a kWh costs on a market from–to. What is written later for the same start replaces what was there.';

create table tariff_simulation (
    simulation_id uuid primary key,
    party_id      uuid        not null references party,
    content       jsonb       not null,
    from_at       timestamptz not null,
    to_at         timestamptz not null,
    location_id   uuid,
    status        text        not null default 'queued' check (status in ('queued', 'done', 'failed')),
    result        jsonb,
    asked_by      text        not null,
    asked_at      timestamptz not null default now(),
    finished_at   timestamptz
);
comment on table tariff_simulation is 'What sessions of the past would have cost under a tariff.';
create index tariff_simulation_by_party on tariff_simulation (party_id, asked_at desc);
