-- The driver's pages: how drivers sign in, and the cars they keep there.

create table driver_sign_in_code (
    code_id    uuid primary key,
    party_id   uuid        not null references party,
    email      text        not null check (length(email) <= 254),
    code_hash  bytea       not null,
    n_wrong    smallint    not null default 0,
    address    text        not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz
);
comment on table driver_sign_in_code is 'Six digits sent by e-mail; the hash is worthless without the installation''s key.';
create index driver_sign_in_code_by_email on driver_sign_in_code (lower(email), created_at desc);
create index driver_sign_in_code_by_address on driver_sign_in_code (address, created_at desc);
create index driver_sign_in_code_by_end on driver_sign_in_code (expires_at);

create table driver_session (
    cookie_hash       bytea primary key,
    driver_session_id uuid        not null unique,
    party_id          uuid        not null,
    driver_id         uuid        not null,
    csrf_token        text        not null,
    method            text        not null check (method in ('code', 'passkey')),
    proved_at         timestamptz not null,
    created_at        timestamptz not null,
    last_seen_at      timestamptz not null,
    expires_at        timestamptz not null,
    user_agent        text,
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on table driver_session is 'Browsers in which a driver is signed in; the cookie itself is nowhere.';
create index driver_session_by_driver on driver_session (party_id, driver_id);
create index driver_session_by_end on driver_session (expires_at);

create table driver_passkey (
    passkey_id    uuid primary key,
    party_id      uuid        not null,
    driver_id     uuid        not null,
    credential_id bytea       not null unique,
    public_key    bytea       not null,
    sign_count    bigint      not null,
    transports    text[]      not null default '{}',
    is_synced     boolean     not null default false,
    name          text        not null check (length(name) between 1 and 100),
    created_at    timestamptz not null,
    last_used_at  timestamptz,
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
create index driver_passkey_by_driver on driver_passkey (party_id, driver_id);

create table driver_car (
    car_id     uuid primary key,
    party_id   uuid        not null,
    driver_id  uuid        not null,
    name       text        not null check (length(name) between 1 and 100),
    standard   text check (length(standard) <= 40),
    wh_per_km  numeric check (wh_per_km between 50 and 1000),
    created_at timestamptz not null default now(),
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on column driver_car.standard is 'The plug it takes, as OCPI names connectors.';
comment on column driver_car.wh_per_km is 'What it uses, as its driver says.';
create index driver_car_by_driver on driver_car (party_id, driver_id);
