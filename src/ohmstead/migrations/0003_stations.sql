-- Location → Station → Evse → Connector, how they are, and what is asked of them.

create table location (
    location_id uuid primary key,
    party_id    uuid        not null references party,
    name        text        not null,
    address     text        not null default '',
    city        text        not null default '',
    postal_code text        not null default '',
    country     text        not null default '',
    latitude    double precision check (latitude between -90 and 90),
    longitude   double precision check (longitude between -180 and 180),
    time_zone   text        not null default 'UTC',
    version     integer     not null default 1,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now()
);
create index location_by_party on location (party_id, name);

create table station (
    station_id           text primary key check (length(station_id) between 1 and 48),
    party_id             uuid        not null references party,
    location_id          uuid        references location,
    name                 text        not null default '',
    registration         text        not null default 'accepted' check (registration in ('accepted', 'pending', 'rejected')),
    security_profile     smallint    not null default 1 check (security_profile between 0 and 3),
    secret_hash          text,
    certificate_name     text,
    is_lab               boolean     not null default false,
    vendor               text,
    model                text,
    serial_number        text,
    firmware_version     text,
    iccid                text,
    imsi                 text,
    meter_type           text,
    meter_serial_number  text,
    ocpp_version         text,
    heartbeat_interval_s integer,
    max_power_w          integer,
    status               text,
    status_at            timestamptz,
    error_code           text,
    info                 text,
    boot_reason          text,
    booted_at            timestamptz,
    gateway_id           uuid,
    connection_id        uuid,
    connected_at         timestamptz,
    disconnected_at      timestamptz,
    last_seen_at         timestamptz,
    remote_address       text,
    version              integer     not null default 1,
    created_at           timestamptz not null default now(),
    updated_at           timestamptz not null default now(),
    retired_at           timestamptz
) with (fillfactor = 80);
comment on column station.station_id is 'The OCPP identity: the last part of the URL the station connects to.';
comment on column station.status is 'Of the device itself, where it tells one (1.6 connector 0).';
comment on column station.certificate_name is 'Security profile 3: the common name or serial number the client certificate must carry; the identity itself when null.';
comment on column station.connection_id is 'The connection that holds the station now; a late close of an older one changes nothing.';
comment on column station.secret_hash is 'Never the secret itself: a keyed hash of a generated one, argon2id of a chosen one.';
create unique index station_by_identity on station (lower(station_id));
create index station_by_party on station (party_id, station_id);
create index station_by_location on station (location_id);
create index station_by_gateway on station (gateway_id) where gateway_id is not null;

create table gateway (
    gateway_id uuid primary key,
    address    text        not null,
    started_at timestamptz not null default now(),
    alive_at   timestamptz not null default now()
);
comment on table gateway is 'Running gateways. One that stopped renewing alive_at is dead, and its stations are offline.';

create table evse (
    station_id         text    not null references station on delete cascade,
    evse_number        integer not null check (evse_number > 0),
    current_type       text check (current_type in ('AC', 'DC')),
    max_power_w        integer,
    physical_reference text,
    primary key (station_id, evse_number)
);

create table connector (
    station_id        text        not null,
    evse_number       integer     not null,
    connector_number  integer     not null check (connector_number > 0),
    standard          text,
    max_power_w       integer,
    status            text        not null default 'unknown'
        check (status in ('available', 'occupied', 'preparing', 'charging', 'suspended_ev', 'suspended_evse', 'finishing', 'reserved', 'unavailable', 'faulted', 'unknown')),
    status_at         timestamptz,
    error_code        text,
    info              text,
    vendor_error_code text,
    primary key (station_id, evse_number, connector_number),
    foreign key (station_id, evse_number) references evse on delete cascade
) with (fillfactor = 80);

create table status_change (
    station_id        text        not null,
    evse_number       integer     not null,
    connector_number  integer     not null,
    at                timestamptz not null,
    status            text        not null,
    error_code        text,
    info              text,
    vendor_id         text,
    vendor_error_code text,
    received_at       timestamptz not null default now(),
    primary key (station_id, evse_number, connector_number, at, status)
) partition by range (at);
comment on table status_change is 'Every change as the station timed it; EVSE 0 is the station itself. Intervals are read between two rows.';
create table status_change_default partition of status_change default;
create index status_change_by_time on status_change (station_id, at);

create table connection_change (
    station_id   text        not null,
    at           timestamptz not null,
    is_connected boolean     not null,
    reason       text        not null default '',
    detail       text        not null default '',
    primary key (station_id, at, is_connected)
) partition by range (at);
create table connection_change_default partition of connection_change default;

create table station_record (
    record_id   bigint generated always as identity primary key,
    station_id  text        not null references station on delete cascade,
    received_at timestamptz not null default now(),
    kind        text        not null,
    digest      bytea       not null,
    payload     jsonb       not null,
    unique (station_id, digest)
);
comment on table station_record is 'What stations report beyond status and sessions, kept whole. digest covers action, message id and payload: a repeat is kept once.';
create index station_record_by_kind on station_record (station_id, kind, record_id desc);

create table station_variable (
    station_id    text        not null references station on delete cascade,
    component     text        not null default '',
    variable      text        not null,
    attribute     text        not null default 'Actual',
    value         text,
    is_read_only  boolean,
    data_type     text,
    unit          text,
    updated_at    timestamptz not null default now(),
    primary key (station_id, component, variable, attribute)
);
comment on table station_variable is 'Configuration as last reported: 1.6 keys under component '''', 2.x variables under Component[instance]@evse.connector.';

create table security_signal (
    signal_id      bigint generated always as identity primary key,
    at             timestamptz not null default now(),
    party_id       uuid        references party,
    station_id     text,
    remote_address text,
    kind           text        not null,
    detail         jsonb       not null default '{}'
);
comment on table security_signal is 'Refused connections, foreign transactions, security events of stations: what detections will read.';
create index security_signal_by_time on security_signal (at desc);
create index security_signal_by_station on security_signal (station_id, at desc);

create table command (
    command_id   uuid primary key,
    party_id     uuid        not null references party,
    station_id   text        not null references station,
    kind         text        not null,
    action       text,
    parameters   jsonb       not null default '{}',
    status       text        not null check (status in ('queued', 'sending', 'sent', 'accepted', 'rejected', 'failed', 'timed_out', 'offline', 'expired', 'cancelled')),
    requested_by text        not null,
    requested_at timestamptz not null default now(),
    expires_at   timestamptz,
    sent_at      timestamptz,
    answered_at  timestamptz,
    message_id   text,
    answer       jsonb,
    error_code   text,
    error_text   text
);
create index command_by_station on command (station_id, requested_at desc);
create index command_by_party on command (party_id, requested_at desc);
create index command_waiting on command (station_id, requested_at) where status = 'queued';
create unique index command_by_message on command (station_id, message_id) where message_id is not null;

insert into partitioned_table values ('status_change', 'month', 'at'), ('connection_change', 'month', 'at');
