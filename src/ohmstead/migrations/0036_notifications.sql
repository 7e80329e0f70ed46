-- Notifications: what drivers and operators are told, over which channel, and what came of it.

create table notification (
    notification_id uuid        primary key,
    party_id        uuid        not null references party,
    kind            text        not null,
    key             text        not null,
    channel         text        not null check (channel in ('email', 'sms', 'push')),
    target          text        not null default '',
    driver_id       uuid        references driver,
    operator_id     uuid        references operator,
    address         text,
    language        text        not null,
    time_zone       text        not null,
    data            jsonb       not null,
    attachments     jsonb       not null default '[]',
    status          text        not null check (status in ('queued', 'sending', 'sent', 'failed', 'dropped')),
    reason          text,
    subject         text,
    body            text,
    n_tries         integer     not null default 0,
    n_attempts      integer     not null default 0,
    next_at         timestamptz not null,
    claimed_until   timestamptz,
    expires_at      timestamptz not null,
    created_at      timestamptz not null,
    finished_at     timestamptz,
    unique (party_id, key, channel, target)
);
comment on table notification is 'A message to one person over one channel. The unique key is why nothing is sent twice, however often its event comes.';
comment on column notification.target is 'Push: the subscription that it goes to. Else empty.';
comment on column notification.data is 'What its template says, as values; emptied of what is secret once it is finished.';
comment on column notification.reason is 'Why it was dropped or failed, in a word.';
comment on column notification.body is 'What was sent, as text; null before, and of what is secret.';
comment on column notification.n_tries is 'Attempts since it was put into the queue, or was last sent again: the next pause depends on it.';
comment on column notification.claimed_until is 'A worker is at it until then at the latest; it may have died meanwhile.';
comment on column notification.expires_at is 'Told later it would be of no use: it is dropped then.';
create index notification_due on notification (next_at) where status in ('queued', 'sending');
create index notification_log on notification (party_id, created_at desc, notification_id desc);
create index notification_by_driver on notification (party_id, driver_id, created_at desc) where driver_id is not null;
create index notification_old on notification (created_at);

create table notification_attempt (
    notification_id uuid        not null references notification on delete cascade,
    number          integer     not null,
    at              timestamptz not null,
    duration_ms     integer     not null,
    answer          text,
    error           text,
    primary key (notification_id, number)
);
comment on column notification_attempt.answer is 'What the mail server, the provider or the push service said.';

create table notification_template (
    party_id   uuid        not null references party,
    kind       text        not null,
    language   text        not null,
    subject    text        not null,
    body       text        not null,
    version    integer     not null default 1,
    updated_at timestamptz not null,
    updated_by text        not null,
    primary key (party_id, kind, language)
);
comment on table notification_template is 'A party''s own words for a kind of message; without a row the words that come along are used.';

create table notification_preference (
    driver_id          uuid        primary key references driver,
    party_id           uuid        not null references party,
    channels           jsonb       not null default '{}',
    quiet_from_minute  smallint    check (quiet_from_minute between 0 and 1439),
    quiet_until_minute smallint    check (quiet_until_minute between 0 and 1439),
    time_zone          text,
    version            integer     not null default 1,
    updated_at         timestamptz not null,
    check ((quiet_from_minute is null) = (quiet_until_minute is null))
);
comment on table notification_preference is 'What a driver wants to be told; without a row, and for kinds not named, the usual.';
comment on column notification_preference.channels is 'By kind the channels it goes over: {"nearly_full": ["push"], "charging_started": []}.';
comment on column notification_preference.time_zone is 'In which quiet hours are counted; null: that of the place, else the party''s.';

create table notification_operator (
    operator_id uuid        primary key references operator,
    party_id    uuid        not null references party,
    kinds       text[]      not null default '{}',
    updated_at  timestamptz not null
);
comment on table notification_operator is 'Of what an operator wants to be told by e-mail; without a row: of nothing.';

create table push_key (
    push_key_id uuid        primary key,
    public_key  text        not null,
    sealed      bytea       not null,
    created_at  timestamptz not null
);
comment on table push_key is 'The installation''s VAPID key (RFC 8292), sealed under its secret key. Subscriptions are good for this one only.';
create unique index push_key_only on push_key ((true));

create table push_subscription (
    subscription_id uuid        primary key,
    party_id        uuid        not null references party,
    driver_id       uuid        not null references driver,
    endpoint        text        not null,
    p256dh          text        not null,
    auth            text        not null,
    device          text        not null default '',
    created_at      timestamptz not null,
    last_success_at timestamptz,
    unique (party_id, endpoint)
);
comment on table push_subscription is 'A browser that a driver wants to be told on (RFC 8030).';
create index push_subscription_by_driver on push_subscription (party_id, driver_id);

create table plug_watch (
    watch_id    uuid        primary key,
    party_id    uuid        not null references party,
    driver_id   uuid        not null references driver,
    location_id uuid        references location on delete cascade,
    station_id  text        references station on delete cascade,
    evse_number integer,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    told_at     timestamptz,
    check (num_nonnulls(location_id, station_id) = 1),
    check (evse_number is null or station_id is not null)
);
comment on table plug_watch is 'Tell me when a plug is free: of a location, a station, or one outlet. Once.';
create index plug_watch_open on plug_watch (expires_at) where told_at is null;
create unique index plug_watch_once on plug_watch (driver_id, location_id, station_id, evse_number) nulls not distinct
    where told_at is null;

create table place_follow (
    party_id    uuid        not null references party,
    driver_id   uuid        not null references driver,
    location_id uuid        references location on delete cascade,
    station_id  text        references station on delete cascade,
    created_at  timestamptz not null,
    check (num_nonnulls(location_id, station_id) = 1),
    unique nulls not distinct (driver_id, location_id, station_id)
);
comment on table place_follow is 'Favourites of drivers: they are told when one is out of service.';
create index place_follow_by_party on place_follow (party_id, driver_id, created_at);

create table station_outage (
    station_id text        not null references station on delete cascade,
    party_id   uuid        not null references party,
    since      timestamptz not null,
    reason     text        not null check (reason in ('offline', 'faulted', 'unavailable')),
    ended_at   timestamptz,
    primary key (station_id, since)
);
comment on table station_outage is 'Stations out of service as people were told of it: those that somebody follows, or that operators asked about.';
create unique index station_outage_open on station_outage (station_id) where ended_at is null;
