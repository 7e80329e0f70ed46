-- Orders in several messages, starts that wait for their session, and one order to many stations.

alter table command
    add column session_id  uuid,
    add column bulk_id     uuid,
    add column part        smallint not null default 1,
    add column n_parts     smallint not null default 1;
comment on column command.part is 'Of an order that takes several OCPP messages, the one that message_id names; 1 to n_parts.';
comment on column command.session_id is 'The session that a remote start led to.';
create index command_starting on command (requested_at) where kind = 'remote_start' and session_id is null;
create index command_by_session on command (session_id) where session_id is not null;
create index command_by_bulk on command (bulk_id) where bulk_id is not null;

create table bulk_command (
    bulk_id      uuid primary key,
    party_id     uuid        not null references party,
    kind         text        not null,
    parameters   jsonb       not null,
    selection    jsonb       not null default '{}',
    status       text        not null default 'running' check (status in ('running', 'done', 'cancelled')),
    n_stations   integer     not null,
    timeout_s    real        not null,
    queue_for_s  real,
    at_once      integer     not null default 1000 check (at_once > 0),
    requested_by text        not null,
    requested_at timestamptz not null default now(),
    finished_at  timestamptz,
    cancelled_by text
);
comment on table bulk_command is 'One order to many stations. What each was sent is a row of command.';
comment on column bulk_command.at_once is 'At so many stations at most it is under way: sent, and not answered yet.';
comment on column bulk_command.selection is 'By what the stations were chosen, for people to read.';
create index bulk_command_by_party on bulk_command (party_id, requested_at desc);
create index bulk_command_running on bulk_command (requested_at) where status <> 'done' and finished_at is null;

create table bulk_station (
    bulk_id    uuid not null references bulk_command on delete cascade,
    station_id text not null references station on delete cascade,
    command_id uuid,
    primary key (bulk_id, station_id)
);
comment on table bulk_station is 'The stations of a bulk order, fixed when it was made. command_id: its turn has come.';
create index bulk_station_waiting on bulk_station (bulk_id, station_id) where command_id is null;
