-- How people sign in: passkeys, passwords with codes, providers; what came of attempts; second persons' approvals.

alter table party add column needs_second_person boolean not null default false;
comment on column party.needs_second_person is 'Orders to many stations wait until somebody else approves them.';

alter table operator drop constraint operator_role_check;
alter table operator add constraint operator_role_check check
    (role in ('owner', 'operations', 'technician', 'finance', 'support', 'site_host', 'read_only', 'api'));
alter table operator
    add column user_name       text,
    add column external_id     text,
    add column is_provisioned  boolean not null default false,
    add column password_hash   text,
    add column password_set_at timestamptz,
    add column totp_secret     bytea,
    add column totp_since      timestamptz,
    add column totp_last_step  bigint  not null default 0;
create unique index operator_user_name on operator (party_id, lower(user_name)) where user_name is not null;
create index operator_by_party on operator (party_id, name);
comment on column operator.totp_secret is 'Encrypted under the installation''s secret key; it counts once totp_since is set.';

alter table web_session
    add column web_session_id uuid not null default gen_random_uuid() unique,
    add column method         text not null default 'link',
    add column proved_at      timestamptz,
    add column provider       text,
    add column id_token       text;
comment on column web_session.proved_at is 'When the person last showed a proof of being who they are: a link, passkey, password or provider.';

create table passkey (
    passkey_id    uuid primary key,
    operator_id   uuid        not null references operator on delete cascade,
    credential_id bytea       not null unique,
    public_key    bytea       not null,
    sign_count    bigint      not null,
    name          text        not null,
    transports    text[]      not null default '{}',
    is_synced     boolean     not null,
    created_at    timestamptz not null,
    last_used_at  timestamptz
);
create index passkey_by_operator on passkey (operator_id);

create table recovery_code (
    operator_id uuid  not null references operator on delete cascade,
    code_hash   bytea not null,
    used_at     timestamptz,
    primary key (operator_id, code_hash)
);

create table spent_proof (
    digest     bytea primary key,
    expires_at timestamptz not null
);
create index spent_proof_by_end on spent_proof (expires_at);
comment on table spent_proof is 'Challenges and half-done sign-ins that were used: each counts once.';

create table sign_in_backoff (
    key           bytea primary key,
    n_failures    integer     not null,
    last_at       timestamptz not null,
    blocked_until timestamptz
);
create index sign_in_backoff_by_time on sign_in_backoff (last_at);

create table sign_in_attempt (
    attempt_id     bigint generated always as identity primary key,
    at             timestamptz not null,
    party_id       uuid references party,
    operator_id    uuid references operator on delete set null,
    name           text        not null,
    method         text        not null,
    outcome        text        not null check (outcome in ('signed_in', 'refused')),
    reason         text,
    remote_address text,
    user_agent     text
);
create index sign_in_attempt_by_party on sign_in_attempt (party_id, at desc, attempt_id desc);
create index sign_in_attempt_by_operator on sign_in_attempt (operator_id, at desc);
create index sign_in_attempt_by_time on sign_in_attempt (at);
comment on column sign_in_attempt.party_id is 'Null when nobody of that name is known.';

create table provider_identity (
    provider    text not null,
    subject     text not null,
    operator_id uuid not null references operator on delete cascade,
    created_at  timestamptz not null,
    primary key (provider, subject)
);
create index provider_identity_by_operator on provider_identity (operator_id);

create table operator_group (
    group_id    uuid primary key,
    party_id    uuid        not null references party,
    name        text        not null,
    external_id text,
    role        text check (role in ('owner', 'operations', 'technician', 'finance', 'support', 'site_host', 'read_only', 'api')),
    created_at  timestamptz not null,
    changed_at  timestamptz not null
);
create unique index operator_group_name on operator_group (party_id, lower(name));
comment on column operator_group.role is 'What members of the group may do here; null: the group means nothing here.';

create table operator_group_member (
    group_id    uuid not null references operator_group on delete cascade,
    operator_id uuid not null references operator on delete cascade,
    primary key (group_id, operator_id)
);
create index operator_group_member_by_operator on operator_group_member (operator_id);

create table approval (
    approval_id uuid primary key,
    party_id    uuid        not null references party,
    kind        text        not null,
    summary     text        not null,
    request     jsonb       not null,
    asked_by    text        not null,
    asked_name  text        not null,
    asked_at    timestamptz not null,
    expires_at  timestamptz not null,
    state       text        not null default 'waiting' check (state in ('waiting', 'approved', 'rejected', 'withdrawn')),
    decided_by  text,
    decided_name text,
    decided_at  timestamptz,
    reason      text,
    result      text
);
create index approval_by_party on approval (party_id, asked_at desc, approval_id desc);
comment on table approval is 'What waits for a second person, and what came of it. One whose expires_at has passed while waiting is over.';
