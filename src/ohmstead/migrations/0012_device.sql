-- The device model with its history, reports in parts, templates, what stations are to be given, passwords on their way.

alter table station_variable
    add column mutability         text,
    add column min_limit          numeric,
    add column max_limit          numeric,
    add column values_list        text[],
    add column supports_monitoring boolean,
    add column pending_value      text,
    add column pending_by         text,
    add column pending_command_id uuid,
    add column pending_at         timestamptz;
comment on column station_variable.pending_value is 'Accepted by the station, in force once it has restarted.';

create table variable_change (
    station_id text        not null,
    at         timestamptz not null,
    component  text        not null default '',
    variable   text        not null,
    attribute  text        not null default 'Actual',
    old_value  text,
    new_value  text,
    source     text        not null check (source in ('read', 'set', 'report', 'event')),
    caused_by  text        not null,
    command_id uuid
) partition by range (at);
comment on table variable_change is 'Every change of a value that we knew: when and how it became known, and who caused it (the station itself, an operator, a key, a template).';
create table variable_change_default partition of variable_change default;
create index variable_change_by_station on variable_change (station_id, at desc, component, variable, attribute);

create table device_event (
    station_id     text        not null,
    at             timestamptz not null,
    received_at    timestamptz not null default now(),
    event_id       bigint      not null,
    component      text        not null,
    variable       text        not null,
    value          text        not null,
    trigger        text        not null,
    kind           text        not null,
    cause          bigint,
    monitor_id     bigint,
    severity       smallint,
    is_cleared     boolean     not null default false,
    transaction_id text,
    tech_code      text,
    tech_info      text,
    primary key (station_id, at, event_id, component, variable)
) partition by range (at);
comment on table device_event is 'NotifyEvent (OCPP 2.x): what monitors and the station itself tell, at the station''s time.';
create table device_event_default partition of device_event default;
insert into partitioned_table values ('variable_change', 'month', 'at'), ('device_event', 'month', 'at');

create table report_chunk (
    station_id  text        not null references station on delete cascade,
    kind        text        not null,
    request_id  bigint      not null,
    digest      bytea       not null,
    seq_no      integer,
    is_last     boolean     not null,
    received_at timestamptz not null default now(),
    primary key (station_id, kind, request_id, digest)
);
comment on table report_chunk is 'Parts of reports that come in several messages; the payload is the station_record of the same digest.';

create table station_monitor (
    station_id         text    not null references station on delete cascade,
    monitor_id         bigint  not null,
    component          text    not null,
    variable           text    not null,
    kind               text    not null,
    value              numeric not null,
    severity           smallint not null,
    is_transaction_only boolean not null default false,
    event_kind         text,
    reported_at        timestamptz not null,
    primary key (station_id, monitor_id)
);

create table configuration_template (
    template_id    uuid primary key,
    party_id       uuid        not null references party,
    name           text        not null,
    generation     text        not null check (generation in ('1.6', '2.x')),
    priority       integer     not null default 0,
    vendor         text,
    model          text,
    firmware       text,
    location_id    uuid        references location on delete set null,
    station_ids    text[],
    variables      jsonb       not null default '{}',
    resets_on_idle boolean     not null default false,
    is_enabled     boolean     not null default true,
    version        integer     not null default 1,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    unique (party_id, name)
);
comment on table configuration_template is 'What the variables of the stations it fits are to be. Of several that fit, the one of higher priority wins, variable by variable.';

create table variable_refusal (
    station_id text        not null references station on delete cascade,
    name       text        not null,
    value      text        not null,
    reason     text        not null,
    tries      integer     not null default 1,
    at         timestamptz not null default now(),
    retry_at   timestamptz not null,
    primary key (station_id, name)
);
comment on table variable_refusal is 'Values of templates that a station would not take, and when they are tried again.';

create table upkeep (
    station_id text        not null references station on delete cascade,
    duty       text        not null check (duty in ('templates', 'local_list', 'password', 'clock', 'messages')),
    due_at     timestamptz,
    asked      integer     not null default 0,
    taken_until timestamptz,
    tries      integer     not null default 0,
    done_at    timestamptz,
    result     text,
    text       text,
    primary key (station_id, duty)
);
comment on table upkeep is 'What we do to stations without being asked. Whoever takes a duty has it until taken_until: if it dies over it, somebody else takes it then. asked counts the requests, so that one that comes meanwhile is not lost.';
create index upkeep_due on upkeep (due_at) where due_at is not null;

create table local_list (
    station_id  text primary key references station on delete cascade,
    version     bigint      not null,
    entries     jsonb       not null,
    n_left_out  integer     not null default 0,
    changed_at  timestamptz not null default now()
);
comment on table local_list is 'The authorization list a station holds as far as we sent it: uid → what was said of it.';

alter table station
    add column takes_templates  boolean not null default true,
    add column takes_local_list boolean,
    add column next_secret_hashes text[],
    add column onboarding       text check (onboarding in ('set_password', 'use_password'));
comment on column station.takes_local_list is 'Null: as the party says.';
comment on column station.next_secret_hashes is 'Passwords the station was given and has not used yet; the old one is good until it has.';
comment on column station.onboarding is 'A pending station is to be given a password of its own, or to come back with it, before it is accepted.';
alter table party add column sends_local_lists boolean not null default false;
