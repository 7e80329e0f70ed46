-- Sums of the books that pages tell, kept as entries are made: nothing is added up from the beginning for a look at a month.

create table ledger_sum (
    party_id     uuid   not null references party,
    currency     text   not null,
    month        date   not null,
    kind         text   not null,
    whose        text   not null,
    entry_kind   text   not null,
    debit_minor  bigint not null,
    credit_minor bigint not null,
    primary key (party_id, currency, month, kind, whose, entry_kind)
);
comment on table ledger_sum is 'What entries of one kind did in a month to all accounts of one kind; whose: driver, company, … of what is somebody''s.';

create table ledger_standing (
    account_id    uuid   primary key references ledger_account,
    party_id      uuid   not null,
    balance_minor bigint not null
);
comment on table ledger_standing is 'What is on an account now: debit is positive.';
create index ledger_standing_open on ledger_standing (party_id) where balance_minor <> 0;

create index ledger_balance_by_day on ledger_balance (party_id, booked_on);

create table ledger_month (
    party_id     uuid   not null references party,
    month        date   not null,
    kind         text   not null,
    n_entries    bigint not null,
    first_number bigint not null,
    last_number  bigint not null,
    primary key (party_id, month, kind)
);
comment on table ledger_month is 'How many entries of a kind were booked in a month, and between which numbers.';

create or replace function ledger_add_up() returns trigger language plpgsql
    -- Plans are kept, also those that were made while tables were small: by their keys, whatever they hold.
    set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off
    as $$
begin
    insert into ledger_balance as b (party_id, account_id, booked_on, debit_minor, credit_minor)
    select party_id, account_id, booked_on, sum(greatest(amount_minor, 0)), sum(greatest(-amount_minor, 0)) from added
    group by party_id, account_id, booked_on order by account_id, booked_on
    on conflict (account_id, booked_on) do update
    set debit_minor = b.debit_minor + excluded.debit_minor, credit_minor = b.credit_minor + excluded.credit_minor;
    insert into ledger_standing as s (account_id, party_id, balance_minor)
    select account_id, party_id, sum(amount_minor) from added group by account_id, party_id order by account_id
    on conflict (account_id) do update set balance_minor = s.balance_minor + excluded.balance_minor;
    insert into ledger_sum as s (party_id, currency, month, kind, whose, entry_kind, debit_minor, credit_minor)
    select p.party_id, p.currency, date_trunc('month', p.booked_on)::date, a.kind,
           case when a.kind in ('receivable', 'wallet', 'host_share') then split_part(a.detail, ':', 1) else '' end, e.kind,
           sum(greatest(p.amount_minor, 0)), sum(greatest(-p.amount_minor, 0))
    from added p join ledger_account a using (account_id) join ledger_entry e using (entry_id)
    group by 1, 2, 3, 4, 5, 6 order by 1, 2, 3, 4, 5, 6
    on conflict (party_id, currency, month, kind, whose, entry_kind) do update
    set debit_minor = s.debit_minor + excluded.debit_minor, credit_minor = s.credit_minor + excluded.credit_minor;
    return null;
end $$;

create function ledger_count_on() returns trigger language plpgsql as $$
begin
    insert into ledger_month as m (party_id, month, kind, n_entries, first_number, last_number)
    select party_id, date_trunc('month', booked_on)::date, kind, count(*), min(number), max(number) from added
    group by 1, 2, 3 order by 1, 2, 3
    on conflict (party_id, month, kind) do update
    set n_entries = m.n_entries + excluded.n_entries, first_number = least(m.first_number, excluded.first_number),
        last_number = greatest(m.last_number, excluded.last_number);
    return null;
end $$;
create trigger ledger_count_on after insert on ledger_entry referencing new table as added
    for each statement execute function ledger_count_on();

insert into ledger_standing (account_id, party_id, balance_minor)
select account_id, party_id, sum(debit_minor - credit_minor) from ledger_balance group by account_id, party_id;
insert into ledger_sum (party_id, currency, month, kind, whose, entry_kind, debit_minor, credit_minor)
select p.party_id, p.currency, date_trunc('month', p.booked_on)::date, a.kind,
       case when a.kind in ('receivable', 'wallet', 'host_share') then split_part(a.detail, ':', 1) else '' end, e.kind,
       sum(greatest(p.amount_minor, 0)), sum(greatest(-p.amount_minor, 0))
from ledger_posting p join ledger_account a using (account_id) join ledger_entry e using (entry_id)
group by 1, 2, 3, 4, 5, 6;
insert into ledger_month (party_id, month, kind, n_entries, first_number, last_number)
select party_id, date_trunc('month', booked_on)::date, kind, count(*), min(number), max(number) from ledger_entry group by 1, 2, 3;

-- On which day a CDR is in the books; what costs nothing is in none, and belongs to the day on which its session ended.
alter table cdr add column booked_on date;
alter table cdr disable trigger cdr_keep;
update cdr c set booked_on = coalesce(
    (select e.booked_on from ledger_entry e where e.cdr_id = c.cdr_id),
    (c.ended_at at time zone z.name)::date)
from (select p.party_id, coalesce((select t.name from pg_timezone_names t where t.name = p.time_zone), 'UTC') as name from party p) z
where z.party_id = c.party_id;
alter table cdr enable trigger cdr_keep;
alter table cdr alter column booked_on set not null;
comment on column cdr.booked_on is 'On which day it is in the books; of one that costs nothing: on which day its session ended, where the books are kept.';

create index cdr_by_day on cdr (party_id, booked_on);
create index cdr_by_end on cdr (party_id, ended_at, cdr_id);
create index cdr_by_total on cdr (party_id, total, cdr_id);
create index cdr_by_energy on cdr (party_id, energy_wh, cdr_id);
create index cdr_by_station on cdr (station_id, created_at desc);
create index cdr_by_tariff on cdr (tariff_id, created_at desc);
create index cdr_by_token on cdr (party_id, lower(token_uid) text_pattern_ops) where token_uid is not null;
create index cdr_by_contract on cdr (party_id, contract_id text_pattern_ops) where contract_id is not null;
create index cdr_credits on cdr (party_id, created_at desc) where kind = 'credit';
create index cdr_corrected on cdr (party_id, created_at desc) where replaces_id is not null;

-- Who is to get a document is asked of what stands on none, not of all CDRs that ever were.
create table cdr_undocumented (
    cdr_id   uuid        primary key references cdr,
    party_id uuid        not null references party,
    customer text        not null,
    currency text        not null,
    ended_at timestamptz not null
);
comment on table cdr_undocumented is 'Charges of those who get documents by month, for which something is due, that stand on no document and were not credited. Kept by triggers.';
create index cdr_undocumented_by_customer on cdr_undocumented (party_id, customer, ended_at);

create function cdr_undocumented_grows() returns trigger language plpgsql
    set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off
    as $$
begin
    insert into cdr_undocumented (cdr_id, party_id, customer, currency, ended_at)
    select cdr_id, party_id, customer, currency, ended_at from added
    where kind = 'charge' and total <> 0 and split_part(customer, ':', 1) in ('driver', 'company', 'partner');
    delete from cdr_undocumented u using added a where u.cdr_id = a.credits_id;
    return null;
end $$;
create trigger cdr_undocumented_grows after insert on cdr referencing new table as added
    for each statement execute function cdr_undocumented_grows();

create function cdr_undocumented_shrinks() returns trigger language plpgsql
    set enable_seqscan to off set enable_hashjoin to off set enable_mergejoin to off
    as $$
begin
    delete from cdr_undocumented u using added a where u.cdr_id = a.cdr_id;
    return null;
end $$;
create trigger cdr_undocumented_shrinks after insert on invoice_cdr referencing new table as added
    for each statement execute function cdr_undocumented_shrinks();

insert into cdr_undocumented (cdr_id, party_id, customer, currency, ended_at)
select c.cdr_id, c.party_id, c.customer, c.currency, c.ended_at from cdr c
where c.kind = 'charge' and c.total <> 0 and split_part(c.customer, ':', 1) in ('driver', 'company', 'partner')
  and not exists (select from cdr k where k.credits_id = c.cdr_id)
  and not exists (select from invoice_cdr d where d.cdr_id = c.cdr_id);
