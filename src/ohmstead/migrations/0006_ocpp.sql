-- The message log: one row per exchange, the answer beside what it answers.

create table ocpp_message (
    station_id   text        not null,
    received_at  timestamptz not null,
    message_id   text        not null,
    direction    text        not null check (direction in ('in', 'out')),
    version      text        not null,
    action       text        not null,
    payload      text,
    answer_kind  text        check (answer_kind in ('result', 'error', 'none')),
    answer       text,
    error_code   text,
    latency_us   integer
) partition by range (received_at);
comment on column ocpp_message.direction is 'in: the station asked; out: we asked.';
comment on column ocpp_message.received_at is 'When the request was read (in) or written (out).';
comment on column ocpp_message.latency_us is 'in: from reading the request to its answer being decided, before the commit both wait for; out: from writing the request to reading its answer.';
create table ocpp_message_default partition of ocpp_message default;
create index ocpp_message_by_station on ocpp_message (station_id, received_at desc);
create index ocpp_message_by_time on ocpp_message using brin (received_at);

insert into partitioned_table values ('ocpp_message', 'day', 'received_at');
