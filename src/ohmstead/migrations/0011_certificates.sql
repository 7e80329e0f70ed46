-- Certificates: who issues them, who asked for them, what became of them, what stations have installed.

create table authority (
    authority_id    uuid primary key,
    purpose         text        not null check (purpose in ('station', 'v2g')),
    key_kind        text        not null check (key_kind in ('EC', 'RSA')),
    level           text        not null check (level in ('root', 'issuing')),
    certificate_pem text        not null,
    sealed_key      bytea       not null,
    crl             bytea,
    crl_number      bigint      not null default 0,
    crl_until       timestamptz,
    created_at      timestamptz not null default now(),
    unique (purpose, key_kind, level)
);
comment on table authority is 'The installation''s own certificate authority; made when it is first needed.';
comment on column authority.sealed_key is 'The private key, encrypted under a key derived from the installation''s secret key.';
comment on column authority.crl is 'The revocation list last signed; null when something was revoked since.';

create table certificate (
    certificate_id    uuid primary key,
    party_id          uuid        not null references party,
    station_id        text        references station,
    kind              text        not null
        check (kind in ('station', 'v2g', 'central_root', 'manufacturer_root', 'v2g_root', 'contract_root', 'oem_root')),
    status            text        not null check (status in ('issued', 'active', 'rejected', 'revoked')),
    authority_id      uuid        references authority,
    subject           text        not null,
    issuer            text        not null,
    serial            text        not null,
    fingerprint       text        not null,
    key_hash          text        not null,
    chain_pem         text        not null,
    not_before        timestamptz not null,
    not_after         timestamptz not null,
    issued_at         timestamptz not null default now(),
    active_at         timestamptz,
    renewal_asked_at  timestamptz,
    replaced_by       uuid        references certificate,
    revoked_at        timestamptz,
    revocation_reason text,
    unique (party_id, fingerprint)
);
comment on table certificate is 'Station and V2G certificates issued, and the roots a party trusts (those have no station).';
comment on column certificate.status is 'issued: on its way to the station; active: the station uses it, or the root is trusted.';
comment on column certificate.key_hash is 'SHA-256 of the public key: no two stations may have the same one.';
create index certificate_by_station on certificate (station_id, kind);
create index certificate_by_fingerprint on certificate (fingerprint);
create index certificate_by_expiry on certificate (party_id, not_after);
create index certificate_by_key on certificate (key_hash);
create index certificate_by_serial on certificate (authority_id, serial);

create table signing_request (
    signing_request_id uuid primary key,
    party_id           uuid        not null references party,
    station_id         text        not null references station,
    kind               text        not null check (kind in ('station', 'v2g')),
    csr_pem            text        not null,
    key_hash           text,
    request_number     bigint,
    status             text        not null
        check (status in ('accepted', 'refused', 'signed', 'delivered', 'rejected', 'failed')),
    reason             text,
    certificate_id     uuid        references certificate,
    command_id         uuid        references command,
    tries              integer     not null default 0,
    requested_at       timestamptz not null,
    finished_at        timestamptz
);
comment on column signing_request.request_number is 'OCPP 2.1 requestId, to be echoed with the certificate.';
create index signing_request_by_station on signing_request (station_id, requested_at desc);
create index signing_request_open on signing_request (requested_at) where status in ('accepted', 'signed');

create table installed_certificate (
    station_id       text        not null references station on delete cascade,
    usage            text        not null,
    hash_algorithm   text        not null,
    issuer_name_hash text        not null,
    issuer_key_hash  text        not null,
    serial_number    text        not null,
    seen_at          timestamptz not null,
    primary key (station_id, usage, hash_algorithm, issuer_name_hash, issuer_key_hash, serial_number)
);
comment on table installed_certificate is 'What stations said they have installed, when last asked.';

alter table station add column next_security_profile smallint check (next_security_profile between 1 and 3);
comment on column station.next_security_profile is 'While it is being raised: admitted under this profile too; the first such connection makes it the profile.';

create table profile_upgrade (
    profile_upgrade_id uuid primary key,
    party_id           uuid        not null references party,
    station_id         text        not null references station,
    from_profile       smallint    not null,
    to_profile         smallint    not null check (to_profile between 2 and 3),
    url                text,
    slot               integer     not null,
    status             text        not null
        check (status in ('started', 'certificate', 'expected', 'done', 'failed')),
    reason             text,
    requested_by       text        not null,
    started_at         timestamptz not null default now(),
    finished_at        timestamptz
);
comment on column profile_upgrade.status is 'certificate: the station is getting one first; expected: it was told, and is to come back with the new profile.';
create unique index profile_upgrade_open on profile_upgrade (station_id) where finished_at is null;
create index profile_upgrade_by_station on profile_upgrade (station_id, started_at desc);

alter table token add column autocharge boolean not null default false;
alter table token add column paired_with uuid references token on delete cascade;
comment on column token.autocharge is 'Its holder wants cars to be recognised: one that is shown just before it charges may charge alone from then on.';
comment on column token.paired_with is 'A vehicle''s token: the card that it was paired with, and whose limits it has.';
create index token_by_pair on token (paired_with) where paired_with is not null;
