-- Drivers, who held which token and when, searching by parts of words, lists as people left them.

create table driver (
    driver_id  uuid primary key,
    party_id   uuid        not null references party,
    name       text        not null,
    email      text,
    phone      text,
    language   text,
    company    text        not null default '',
    notes      text        not null default '',
    group_uid  text,
    vehicles   text[]      not null default '{}',
    status     text        not null default 'active' check (status in ('active', 'blocked', 'erased')),
    version    integer     not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (party_id, driver_id),
    check (status <> 'erased' or (name = '' and email is null and phone is null and company = '' and notes = ''
        and vehicles = '{}'))
);
comment on table driver is 'A person who charges. Who is erased leaves an empty row, which their sessions, under a pseudonym, still belong to.';
comment on column driver.group_uid is 'The group that their tokens get when they are given to them.';
create index driver_by_name on driver (party_id, lower(name), driver_id);

alter table token
    add column driver_id uuid,
    add column is_blocked_with_driver boolean not null default false,
    add foreign key (party_id, driver_id) references driver (party_id, driver_id);
comment on column token.is_blocked_with_driver is 'It was good until its driver was blocked, and is good again with them.';
create index token_by_driver on token (party_id, driver_id) where driver_id is not null;

create table token_holding (
    holding_id bigint      generated always as identity primary key,
    party_id   uuid        not null references party,
    driver_id  uuid        not null,
    uid_key    text        not null,
    from_at    timestamptz not null,
    until_at   timestamptz,
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on table token_holding is 'Whose a token was, and when: a session is its holder''s who held the token when it began, whoever has the token now.';
create unique index token_holding_now on token_holding (party_id, uid_key) where until_at is null;
create index token_holding_by_driver on token_holding (party_id, driver_id);

create function grams(words text) returns text[]
    language sql immutable parallel safe
    return (select coalesce(array_agg(distinct substr(lower(words), n, 3)), '{}')
            from generate_series(1, length(words) - 2) as n);
comment on function grams is 'All pieces of three letters: a text that holds another one holds its pieces, which an index finds. It needs no extension, which not every server has.';
create index token_by_grams on token
    using gin (grams(uid || ' ' || label || ' ' || coalesce(contract_id, '') || ' ' || coalesce(group_uid, '')));
create index driver_by_grams on driver
    using gin (grams(name || ' ' || coalesce(email, '') || ' ' || coalesce(phone, '') || ' ' || company));
create index session_by_transaction on session (party_id, transaction_id text_pattern_ops);

create table saved_list (
    saved_list_id uuid primary key,
    party_id      uuid        not null references party,
    owner         text        not null,
    page          text        not null,
    name          text        not null,
    query         text        not null,
    is_shared     boolean     not null default false,
    version       integer     not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    unique (party_id, owner, page, name)
);
comment on table saved_list is 'A list as somebody filtered and sorted it, under a name; `query` is what stands in its address.';

create table list_layout (
    party_id   uuid        not null references party,
    owner      text        not null,
    page       text        not null,
    hidden     text[]      not null,
    updated_at timestamptz not null default now(),
    primary key (party_id, owner, page)
);
comment on table list_layout is 'The columns of a list that somebody does not want to see.';
