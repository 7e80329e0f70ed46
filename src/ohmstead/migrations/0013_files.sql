-- Files that stations fetch and send: firmware and its rollouts, logs and what was in them. The bytes are in the file
-- store under their SHA-256; these tables say whose they are and what for.

create sequence file_request_number as integer minvalue 1 maxvalue 2147483647 cycle;

create table firmware_image (
    image_id            uuid primary key,
    party_id            uuid        not null references party,
    name                text        not null,
    vendor              text        not null default '*',
    model               text        not null default '*',
    from_version        text        not null default '*',
    version             text        not null,
    notes               text        not null default '',
    signing_certificate text,
    signature           text,
    sha256              text,
    md5                 text,
    size_bytes          bigint,
    created_at          timestamptz not null default now(),
    created_by          text        not null,
    stored_at           timestamptz,
    retired_at          timestamptz
);
create index firmware_image_by_party on firmware_image (party_id, created_at desc);
create index firmware_image_by_content on firmware_image (sha256);
comment on column firmware_image.vendor is 'Pattern with * and ?; likewise model and from_version, the versions it may replace.';
comment on column firmware_image.version is 'What a station says in its BootNotification once it runs this image.';
comment on column firmware_image.md5 is 'PublishFirmware names an image by its MD5 (2.x L03); nothing else trusts it.';

create table rollout (
    rollout_id            uuid primary key,
    party_id              uuid        not null references party,
    image_id              uuid        not null references firmware_image,
    name                  text        not null,
    status                text        not null check (status in ('running', 'paused', 'halted', 'finished', 'cancelled')),
    waves                 integer[]   not null,
    wave                  integer     not null default 0,
    at_once               integer     not null,
    failure_limit_percent integer     not null,
    most_tries            integer     not null,
    retry_after_s         integer     not null,
    give_up_after_s       integer     not null,
    only_idle             boolean     not null,
    window_from           time,
    window_to             time,
    time_zone             text        not null,
    halted_because        text,
    created_at            timestamptz not null default now(),
    created_by            text        not null,
    updated_at            timestamptz not null default now()
);
create index rollout_by_party on rollout (party_id, created_at desc);
create index rollout_running on rollout (rollout_id) where status = 'running';
comment on column rollout.waves is 'Shares of the stations in percent, each including those before it; the last is 100.';
comment on column rollout.wave is 'How many waves before the one that is open are done.';

create table file_job (
    job_id         uuid primary key,
    party_id       uuid        not null references party,
    station_id     text        not null references station,
    kind           text        not null check (kind in ('firmware', 'publish', 'log')),
    log_kind       text        check (log_kind in ('diagnostics', 'security', 'data_collector')),
    request_id     integer     not null default nextval('file_request_number'),
    status         text        not null,
    detail         text,
    image_id       uuid        references firmware_image,
    rollout_id     uuid        references rollout,
    location       text,
    name           text        not null,
    version        text,
    version_before text,
    asked_at       timestamptz,
    oldest_at      timestamptz,
    latest_at      timestamptz,
    fetched_at     timestamptz,
    sha256         text,
    size_bytes     bigint,
    received_at    timestamptz,
    unpacked_at    timestamptz,
    unpack_note    text,
    command_id     uuid,
    requested_by   text        not null,
    requested_at   timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    finished_at    timestamptz
);
create unique index file_job_by_request on file_job (station_id, request_id);
create index file_job_by_station on file_job (station_id, kind, requested_at desc);
create index file_job_by_party on file_job (party_id, kind, requested_at desc);
create index file_job_unproven on file_job (updated_at) where status = 'reported';
create index file_job_by_content on file_job (sha256);
comment on table file_job is 'One fetching or sending of a file by a station, from the order to its end.';
comment on column file_job.location is 'A foreign address the station was sent to; null: our own.';
comment on column file_job.asked_at is 'When a station that says it has installed was asked what it runs.';
comment on column file_job.name is 'Firmware: what the file is called in its address. Log: what the station called it.';

create table log_member (
    job_id     uuid    not null references file_job on delete cascade,
    position   integer not null,
    path       text    not null,
    sha256     text,
    size_bytes bigint  not null,
    is_text    boolean not null,
    note       text,
    primary key (job_id, position)
);
create index log_member_by_content on log_member (sha256);
comment on column log_member.note is 'Why it could not be unpacked; then it has no content.';

create table rollout_station (
    rollout_id  uuid        not null references rollout on delete cascade,
    station_id  text        not null references station,
    wave        integer     not null,
    status      text        not null check (status in ('waiting', 'ordering', 'running', 'installed', 'failed', 'skipped')),
    tries       integer     not null default 0,
    next_try_at timestamptz,
    job_id      uuid        references file_job,
    detail      text,
    updated_at  timestamptz not null default now(),
    primary key (rollout_id, station_id)
);
create index rollout_station_by_station on rollout_station (station_id, rollout_id);
create index rollout_station_by_job on rollout_station (job_id);
