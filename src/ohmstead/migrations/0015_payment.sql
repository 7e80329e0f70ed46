-- Limits of sessions, what stations reckon sessions cost, payments by web, languages of drivers.

alter table session
    add column limit_ours    jsonb,
    add column limit_station jsonb,
    add column limit_seq_no  integer;
comment on column session.limit_ours is 'Where the session ends at the latest, as we want it: cost, energy, time, state of charge (OCPP 2.1 E16).';
comment on column session.limit_station is 'The same as the station last told it.';
comment on column session.limit_seq_no is 'The event whose answer told our limit: told once, and again only to that event repeated.';

alter table token add column language text check (length(language) between 2 and 8);
comment on column token.language is 'What its holder reads: RFC 5646.';

alter table settlement
    add column settled_by text not null default 'station' check (settled_by in ('station', 'us')),
    add column currency   text;
comment on column settlement.settled_by is 'Who asked the payment provider for the money: the terminal of the station, or we.';

create table station_cost (
    station_id     text        not null references station on delete cascade,
    transaction_id text        not null,
    party_id       uuid        not null references party,
    seq_no         integer     not null,
    at             timestamptz not null,
    currency       text        not null,
    total          numeric     not null,
    details        jsonb       not null,
    failure        text,
    primary key (station_id, transaction_id)
);
comment on table station_cost is 'What a station reckons that a session costs, as it last told it (OCPP 2.1 I12).';
comment on column station_cost.failure is 'Why the station could not reckon.';

create table web_payment_setup (
    station_id text        primary key references station on delete cascade,
    party_id   uuid        not null references party,
    generation uuid        not null,
    validity_s integer     not null,
    length     integer     not null,
    set_at     timestamptz not null
);
comment on table web_payment_setup is 'Stations that show QR codes with one-time passwords, as they took it.';
comment on column web_payment_setup.generation is 'What the shared secret is derived from, with the installation''s key: it is kept nowhere.';

create table web_payment (
    web_payment_id uuid        primary key,
    party_id       uuid        not null references party,
    station_id     text        not null references station on delete cascade,
    evse_number    integer     not null,
    step           bigint      not null,
    limits         jsonb,
    begun_at       timestamptz not null,
    expires_at     timestamptz not null,
    psp_ref        text,
    command_id     uuid,
    unique (station_id, evse_number, step)
);
comment on table web_payment is 'QR codes that were scanned and whose one-time password was good (OCPP 2.1 C25).';
comment on column web_payment.step is 'The time step of the password: each counts once.';
comment on column web_payment.psp_ref is 'The payment that the session was started with.';
