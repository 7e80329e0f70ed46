-- What drivers and technicians want to know of a site: hours, amenities, access; its photos, and its power tree.

alter table location
    add column reference           text,
    add column state               text    not null default '',
    add column directions          text    not null default '',
    add column owner               text    not null default '',
    add column owner_website       text    not null default '',
    add column help_phone          text    not null default '',
    add column access              text    not null default 'public' check (access in ('public', 'restricted', 'private')),
    add column parking_type        text,
    add column parking_restrictions text[] not null default '{}',
    add column facilities          text[]  not null default '{}',
    add column opening             jsonb,
    add column charges_when_closed boolean not null default true,
    add column energy_supplier     text    not null default '',
    add column is_green_energy     boolean,
    add column is_published        boolean not null default true;
comment on column location.reference is 'What other systems call the location: the id of an OCPI Location, a number in a register.';
comment on column location.opening is 'Opening hours; null: not known.';
create unique index location_by_reference on location (party_id, lower(reference)) where reference is not null;

create table circuit (
    circuit_id  uuid primary key,
    party_id    uuid    not null references party,
    location_id uuid    not null references location on delete cascade,
    parent_id   uuid    references circuit on delete cascade deferrable initially deferred,
    position    integer not null,
    name        text    not null,
    limit_a     numeric not null check (limit_a > 0),
    phases      smallint not null check (phases in (1, 3)),
    voltage_v   integer not null default 230 check (voltage_v between 50 and 1000)
);
comment on table circuit is 'The power tree of a location: what its grid connection and the circuits below it may carry.';
comment on column circuit.parent_id is 'What feeds it; null: the grid.';
comment on column circuit.voltage_v is 'Between a phase and neutral.';
create index circuit_by_location on circuit (location_id, position);
create index circuit_by_parent on circuit (parent_id);

create table circuit_station (
    station_id text primary key references station on delete cascade,
    circuit_id uuid not null references circuit on delete cascade
);
comment on table circuit_station is 'Which circuit feeds a station. It means nothing once the station has gone to another location.';
create index circuit_station_by_circuit on circuit_station (circuit_id);

create table location_photo (
    photo_id    uuid primary key,
    party_id    uuid        not null references party,
    location_id uuid        not null references location on delete cascade,
    position    integer     not null,
    alt         text        not null default '',
    sha256      text        not null,
    width       integer     not null,
    height      integer     not null,
    size_bytes  integer     not null,
    created_at  timestamptz not null default now()
);
comment on table location_photo is 'Photos of a location, drawn anew as JPEG when they came; the bytes are in the file store.';
create index location_photo_by_location on location_photo (location_id, position);
create index location_photo_by_content on location_photo (sha256);
