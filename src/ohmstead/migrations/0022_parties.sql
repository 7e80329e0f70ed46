-- Several parties in one installation: their kinds, who runs the installation, people lent to other parties, and
-- people and keys that see some locations only.

alter table party
    add column kind              text    not null default 'network_operator'
        check (kind in ('network_operator', 'site_host', 'emobility_provider', 'fleet')),
    add column language          text    not null default 'en',
    add column owns_installation boolean not null default false,
    add column version           integer not null default 1;
create unique index party_owns_installation on party (owns_installation) where owns_installation;
comment on column party.owns_installation is 'It runs this installation: its owners make and change the other parties.';
update party set owns_installation = true
where party_id = (select party_id from party order by created_at, party_id limit 1);

alter table operator
    add column location_ids uuid[],
    add constraint operator_owner_sees_all check (location_ids is null or role <> 'owner');
comment on column operator.location_ids is 'Only what belongs to these locations; null: all of the party''s.';

create table membership (
    operator_id  uuid        not null references operator on delete cascade,
    party_id     uuid        not null references party,
    role         text        not null check
        (role in ('owner', 'operations', 'technician', 'finance', 'support', 'site_host', 'read_only', 'api')),
    location_ids uuid[],
    created_at   timestamptz not null default now(),
    created_by   text        not null,
    primary key (operator_id, party_id),
    constraint membership_owner_sees_all check (location_ids is null or role <> 'owner')
);
create index membership_by_party on membership (party_id);
comment on table membership is 'People who work for another party beside their own, which is in operator.';

alter table web_session add column party_id uuid references party;
comment on column web_session.party_id is 'For which party the person works in this browser now; null: their own.';

alter table api_key add column location_ids uuid[];
comment on column api_key.location_ids is 'Only what belongs to these locations; null: all of the party''s.';
