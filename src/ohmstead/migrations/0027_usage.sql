-- What settled sessions add up to by the hour and by the day, so that reports need not read the sessions.

create table usage_share (
    session_id   uuid        not null,
    hour_at      timestamptz not null,
    wall_at      timestamp   not null,
    party_id     uuid        not null references party,
    station_id   text        not null,
    location_id  uuid        not null,
    n_sessions   integer     not null,
    energy_wh    numeric     not null,
    duration_s   bigint      not null,
    charging_s   bigint      not null,
    plug_s       bigint      not null,
    delivered_wh numeric     not null,
    primary key (session_id, hour_at)
);
comment on table usage_share is 'What one settled session gives to each hour: what is taken back when it settles anew, so that nothing counts twice.';
comment on column usage_share.wall_at is 'The start of the hour on the wall of the location; with hour_at it tells the two equal hours of autumn apart.';
comment on column usage_share.location_id is 'All zeros: the station was at no location.';
comment on column usage_share.n_sessions is 'One in the hour in which the session began, which also has its energy_wh, duration_s and charging_s; plug_s and delivered_wh are spread over its hours.';
create index usage_share_by_station on usage_share (station_id, wall_at);

create table usage_hour (
    party_id     uuid        not null references party,
    level        text        not null check (level in ('party', 'location')),
    location_id  uuid        not null,
    hour_at      timestamptz not null,
    wall_at      timestamp   not null,
    n_sessions   integer     not null,
    energy_wh    numeric     not null,
    duration_s   bigint      not null,
    charging_s   bigint      not null,
    plug_s       bigint      not null,
    delivered_wh numeric     not null,
    primary key (party_id, level, location_id, wall_at, hour_at)
);
comment on table usage_hour is 'The sums of usage_share by hour: of a location, and of the whole party (location_id all zeros).';

create table usage_day (
    party_id     uuid        not null references party,
    level        text        not null check (level in ('party', 'location', 'station')),
    location_id  uuid        not null,
    station_id   text        not null,
    day          date        not null,
    n_sessions   integer     not null,
    energy_wh    numeric     not null,
    duration_s   bigint      not null,
    charging_s   bigint      not null,
    plug_s       bigint      not null,
    delivered_wh numeric     not null,
    primary key (party_id, level, location_id, station_id, day)
);
comment on table usage_day is 'The sums of usage_share by day on the wall of the location: of a station, a location, and the whole party.';
create index usage_day_by_day on usage_day (party_id, level, day);
create index usage_day_by_station on usage_day (party_id, station_id, day) where level = 'station';

create table usage_walk (
    is_only   boolean primary key default true check (is_only),
    walked_to uuid    not null default '00000000-0000-0000-0000-000000000000',
    is_whole  boolean not null default false
);
comment on table usage_walk is 'How far the sessions that were settled before anybody listened have been counted. Locked by whoever counts; no row: not begun.';

-- What lists and searches look for among millions of sessions.
create index session_odd on session (party_id, started_at desc, session_id) where cardinality(anomalies) > 0;
create index session_orphan on session (party_id, started_at desc, session_id) where is_orphan;
create index status_change_faulted on status_change (station_id, evse_number, connector_number, at desc) where status = 'faulted';
