-- Sessions become money: CDRs, sessions that are not billed by themselves, and the ledger.

create function billing_keep() returns trigger language plpgsql as $$
begin
    raise exception '% is only ever added to', tg_table_name using errcode = 'insufficient_privilege';
end $$;

create table cdr (
    cdr_id         uuid primary key,
    party_id       uuid        not null references party,
    kind           text        not null check (kind in ('charge', 'credit')),
    session_id     uuid        not null references session,
    version        integer     not null check (version > 0),
    credits_id     uuid        unique references cdr,
    replaces_id    uuid        unique references cdr,
    location_id    uuid,
    station_id     text        not null,
    token_uid      text,
    token_type     text,
    token_id       uuid,
    contract_id    text,
    customer       text        not null,
    started_at     timestamptz not null,
    ended_at       timestamptz not null,
    energy_wh      numeric     not null,
    currency       text        not null,
    before_taxes   numeric     not null,
    total          numeric     not null,
    tariff_id      uuid        not null,
    tariff_version integer     not null,
    content        jsonb       not null,
    reason         text        not null default '',
    created_at     timestamptz not null,
    created_by     text        not null,
    unique (session_id, kind, version),
    foreign key (tariff_id, tariff_version) references tariff_version,
    check ((kind = 'credit') = (credits_id is not null)),
    check (replaces_id is null or kind = 'charge')
);
comment on table cdr is 'What a session cost, once and for all. Corrected by a credit and, where something is due, a new one.';
comment on column cdr.version is 'How often its session was billed, from 1; a credit has the version of what it credits.';
comment on column cdr.total is 'With taxes; of a credit both amounts are the negative ones of what it credits.';
comment on column cdr.customer is 'Who owes it: driver:<id>, token:<id>, or nobody where neither is known.';
comment on column cdr.content is 'Place, periods and cost with its lines and taxes, as they were.';
comment on column cdr.location_id is 'As its session''s: it stays where it took place, whatever becomes of the location.';
create index cdr_by_party on cdr (party_id, created_at desc, cdr_id desc);
create index cdr_by_location on cdr (location_id, created_at desc);

-- The one change there is: an erased driver's token becomes a pseudonym.
create function cdr_keep() returns trigger language plpgsql as $$
begin
    if tg_op = 'UPDATE' and new.token_uid like 'erased-%' and new.token_id is null and new.contract_id is null
       and to_jsonb(new) - '{token_uid,token_id,contract_id}'::text[]
           = to_jsonb(old) - '{token_uid,token_id,contract_id}'::text[] then
        return new;
    end if;
    raise exception 'a CDR is never changed: credit it' using errcode = 'insufficient_privilege';
end $$;
create trigger cdr_keep before update or delete on cdr for each row execute function cdr_keep();

create table unbillable_session (
    session_id  uuid primary key references session,
    party_id    uuid        not null references party,
    location_id uuid,
    station_id  text        not null,
    reason      text        not null check (reason in ('too_short', 'no_energy', 'implausible', 'orphan', 'test', 'no_tariff',
                                                       'price_unknown', 'credited')),
    detail      text        not null default '',
    found_at    timestamptz not null,
    decision    text        check (decision in ('bill', 'never')),
    note        text        not null default '',
    decided_at  timestamptz,
    decided_by  text,
    check ((decision is null) = (decided_at is null) and (decision is null) = (decided_by is null))
);
comment on table unbillable_session is 'Settled sessions without a CDR, and why. A person decides; until then nothing is due.';
create index unbillable_session_by_party on unbillable_session (party_id, found_at desc, session_id desc);

create table ledger_head (
    party_id     uuid primary key references party,
    last_number  bigint not null default 0,
    locked_until date
);
comment on table ledger_head is 'The end of each party''s ledger. Whoever writes into it holds this row, so numbers have no gaps.';
comment on column ledger_head.locked_until is 'The first day that is open; null: none was ever closed.';

create table ledger_lock (
    party_id  uuid        not null references party,
    month     date        not null check (extract(day from month) = 1),
    locked_at timestamptz not null,
    locked_by text        not null,
    primary key (party_id, month)
);
comment on table ledger_lock is 'Months that were closed, each with all before it. There is no way back.';

create table ledger_account (
    account_id uuid primary key,
    party_id   uuid        not null references party,
    code       text        not null,
    kind       text        not null check (kind in ('psp_clearing', 'receivable', 'wallet', 'revenue', 'tax', 'fees', 'host_share',
                                                    'rounding')),
    detail     text        not null default '',
    currency   text        not null check (currency ~ '^[A-Z]{3}$'),
    opened_at  timestamptz not null default now(),
    unique (party_id, code, currency),
    unique (party_id, account_id, currency)
);
comment on table ledger_account is 'Where money is or comes from, in one currency each. Opened when it is first needed.';
comment on column ledger_account.detail is 'Whose, of what kind, or which tax: the rest of the code.';

create table ledger_entry (
    entry_id        uuid primary key,
    party_id        uuid        not null references party,
    number          bigint      not null check (number > 0),
    booked_on       date        not null,
    kind            text        not null,
    text            text        not null,
    cdr_id          uuid        unique references cdr,
    idempotency_key text        not null,
    digest          bytea       not null,
    n_postings      integer     not null check (n_postings > 1),
    created_at      timestamptz not null,
    created_by      text        not null,
    unique (party_id, number),
    unique (party_id, idempotency_key),
    unique (party_id, entry_id, number, booked_on)
);
comment on table ledger_entry is 'One event in the books: postings that add up to nothing. Numbered by party, from 1, without gaps.';
comment on column ledger_entry.digest is 'SHA-256 of what it says: the same key with something else is refused.';

create table ledger_posting (
    party_id     uuid     not null,
    entry_id     uuid     not null,
    position     smallint not null check (position > 0),
    number       bigint   not null,
    booked_on    date     not null,
    account_id   uuid     not null,
    currency     text     not null,
    amount_minor bigint   not null check (amount_minor <> 0),
    primary key (entry_id, position),
    foreign key (party_id, entry_id, number, booked_on) references ledger_entry (party_id, entry_id, number, booked_on),
    foreign key (party_id, account_id, currency) references ledger_account (party_id, account_id, currency)
);
comment on column ledger_posting.amount_minor is 'In the currency''s minor unit (cents, whole yen, fils): debit positive, credit negative.';
create index ledger_posting_by_account on ledger_posting (account_id, number);

create table ledger_balance (
    party_id     uuid   not null,
    account_id   uuid   not null references ledger_account,
    booked_on    date   not null,
    debit_minor  bigint not null,
    credit_minor bigint not null,
    primary key (account_id, booked_on)
);
comment on table ledger_balance is 'What went into and out of an account on a day, kept by ledger_posting''s trigger: balances without walking postings.';

create function ledger_add_up() returns trigger language plpgsql as $$
begin
    insert into ledger_balance as b (party_id, account_id, booked_on, debit_minor, credit_minor)
    select party_id, account_id, booked_on, sum(greatest(amount_minor, 0)), sum(greatest(-amount_minor, 0)) from added
    group by party_id, account_id, booked_on order by account_id, booked_on
    on conflict (account_id, booked_on) do update
    set debit_minor = b.debit_minor + excluded.debit_minor, credit_minor = b.credit_minor + excluded.credit_minor;
    return null;
end $$;
create trigger ledger_add_up after insert on ledger_posting referencing new table as added
    for each statement execute function ledger_add_up();

-- At the commit: an entry's postings are as many as it says, and add up to nothing in each currency. So nothing can be added
-- to an entry afterwards, either.
create function ledger_balanced() returns trigger language plpgsql as $$
declare
    n_wanted integer;
    n_found  integer;
    n_off    integer;
begin
    select n_postings into n_wanted from ledger_entry where entry_id = new.entry_id;
    select coalesce(sum(n), 0), count(*) filter (where total <> 0) into n_found, n_off
    from (select count(*) as n, sum(amount_minor) as total from ledger_posting where entry_id = new.entry_id
          group by currency) x;
    if n_off > 0 or n_found <> n_wanted then
        raise exception 'entry % does not balance', new.entry_id using errcode = 'check_violation';
    end if;
    return null;
end $$;
create constraint trigger ledger_balanced_entry after insert on ledger_entry
    deferrable initially deferred for each row execute function ledger_balanced();
create constraint trigger ledger_balanced_posting after insert on ledger_posting
    deferrable initially deferred for each row execute function ledger_balanced();

-- Nothing goes into a month that is closed. Holding the head, whoever closes one waits, or we wait for them.
create function ledger_is_open() returns trigger language plpgsql as $$
declare
    first_open date;
begin
    select locked_until into first_open from ledger_head where party_id = new.party_id for update;
    if new.booked_on < first_open then
        raise exception 'the month of % is closed', new.booked_on using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger ledger_is_open before insert on ledger_entry for each row execute function ledger_is_open();

create function ledger_goes_on() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or new.party_id <> old.party_id or new.last_number < old.last_number
       or (old.locked_until is not null and (new.locked_until is null or new.locked_until < old.locked_until)) then
        raise exception 'the ledger does not go back' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger ledger_goes_on before update or delete on ledger_head for each row execute function ledger_goes_on();
create trigger ledger_lock_keep before update or delete on ledger_lock for each row execute function billing_keep();
create trigger ledger_account_keep before update or delete on ledger_account for each row execute function billing_keep();
create trigger ledger_entry_keep before update or delete on ledger_entry for each row execute function billing_keep();
create trigger ledger_posting_keep before update or delete on ledger_posting for each row execute function billing_keep();
