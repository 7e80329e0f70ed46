-- ISO 15118-20 and combined certificates, server certificates of our own, requests told apart by what they say, revocation
-- lists of other authorities; reservations that are being changed.

alter table authority drop constraint authority_purpose_check,
    add constraint authority_purpose_check check (purpose in ('station', 'v2g', 'v2g20', 'server'));
alter table authority drop constraint authority_key_kind_check,
    add constraint authority_key_kind_check check (key_kind in ('EC', 'RSA', 'Ed448'));
alter table certificate drop constraint certificate_kind_check,
    add constraint certificate_kind_check check (kind in
        ('station', 'v2g', 'v2g20', 'central_root', 'manufacturer_root', 'v2g_root', 'contract_root', 'oem_root'));

alter table signing_request drop constraint signing_request_kind_check,
    add constraint signing_request_kind_check check (kind in ('station', 'v2g', 'v2g20', 'combined'));
alter table signing_request add column csr_hash text;
comment on column signing_request.kind is 'combined: one certificate for us and for cars; it is kept as a station certificate.';
comment on column signing_request.csr_hash is 'SHA-256 of the request: one that comes again is the same one. Null for those of earlier versions.';
create unique index signing_request_once on signing_request (station_id, kind, csr_hash) where status = 'accepted';
create index signing_request_by_csr on signing_request (station_id, csr_hash) where csr_hash is not null;
create index signing_request_by_certificate on signing_request (certificate_id) where certificate_id is not null;

alter table certificate add column revocation_told text check (revocation_told in ('own', 'not_offered'));
comment on column certificate.revocation_told is 'Who knows of the revocation besides us. own: our lists and our responder say it; not_offered: another authority issued it, whose protocol knows no revoking.';

create table outside_crl (
    url         text primary key,
    issuer      text        not null,
    crl         bytea,
    this_update timestamptz,
    next_update timestamptz,
    number      numeric,
    n_revoked   integer,
    fetched_at  timestamptz,
    failed_at   timestamptz,
    failure     text
);
comment on table outside_crl is 'Revocation lists of other authorities, as their distribution points last gave them; believed until next_update.';
comment on column outside_crl.failure is 'Why the last attempt failed; null when it did not.';

alter table reservation add column before jsonb, add column kept int8range, add column change_told_at timestamptz,
    add column change_refused text;
comment on column reservation.before is 'What still holds at the station while it has not answered to a change; null when none is under way.';
comment on column reservation.kept is 'The slot of those terms: nobody else gets it until the change is through.';
comment on column reservation.change_refused is 'Why the last change was not made, in the station''s or our words.';
alter table reservation add column slots int8multirange not null generated always as (
    case when kept is null then int8multirange(reservation_slot(lane, from_at, until_at))
         else int8multirange(reservation_slot(lane, from_at, until_at), kept) end) stored;
alter table reservation drop constraint reservation_no_double_booking;
alter table reservation add constraint reservation_no_double_booking
    exclude using gist (slots with &&) where (status in ('requested', 'accepted', 'active'));
create index reservation_changing on reservation (change_told_at) where before is not null;
