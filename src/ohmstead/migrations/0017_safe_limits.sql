-- Limits that stations keep for every car, and whether they carry out the profiles that they accepted.

create table safe_limit (
    safe_limit_id uuid primary key,
    party_id      uuid        not null references party,
    name          text        not null,
    priority      integer     not null default 0,
    vendor        text,
    model         text,
    firmware      text,
    location_id   uuid        references location on delete cascade,
    station_ids   text[],
    evse_number   integer     check (evse_number > 0),
    limit_value   numeric     not null check (limit_value >= 0),
    rate_unit     text        not null check (rate_unit in ('A', 'W')),
    is_enabled    boolean     not null default true,
    version       integer     not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (party_id, name)
);
comment on table safe_limit is 'What a station may give a car when nobody says anything else: its default profile. Of several that fit an EVSE, the one of higher priority wins.';
comment on column safe_limit.evse_number is 'Only at this EVSE of the stations; null: at all of them.';
comment on column safe_limit.location_id is 'With the location its limit goes: without it, it would hold everywhere.';

create table profile_check (
    station_id  text        not null references station on delete cascade,
    evse_number integer     not null,
    status      text        not null check (status in ('due', 'same', 'differs', 'waits', 'untold', 'doubtful')),
    detail      text,
    differences jsonb       not null default '[]',
    firmware    text,
    tries       integer     not null default 0,
    since       timestamptz not null default now(),
    checked_at  timestamptz,
    primary key (station_id, evse_number)
);
comment on table profile_check is 'Whether a station would deliver what the profiles say that it accepted; asked once after each that it took.';
comment on column profile_check.status is 'waits: to be told only when a car charges; untold: the station does not say what it would deliver; doubtful: nor is its make to be believed.';
comment on column profile_check.firmware is 'This firmware has no composite schedules: it is not asked again.';
create index profile_check_wrong on profile_check (station_id) where status in ('differs', 'doubtful');

alter table upkeep drop constraint upkeep_duty_check;
alter table upkeep add constraint upkeep_duty_check
    check (duty in ('templates', 'local_list', 'password', 'clock', 'messages', 'safe_limit', 'profile_check'));
