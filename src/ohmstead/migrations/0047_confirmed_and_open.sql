-- Telephone numbers count once they are confirmed. What is open of invoices and of what hosts get is found by an index.

alter table driver add column phone_confirmed_at timestamptz;
alter table driver add constraint driver_phone_confirmed check (phone is not null or phone_confirmed_at is null);
comment on column driver.phone_confirmed_at is
    'When a code that was sent to the number was typed in. Null: it may be somebody else''s, and no SMS goes there but codes.';

create table driver_phone_code (
    code_id    uuid primary key,
    party_id   uuid        not null,
    driver_id  uuid        not null,
    phone      text        not null,
    number     bytea       not null,
    code_hash  bytea       not null,
    n_wrong    smallint    not null default 0,
    address    text,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    used_at    timestamptz,
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on table driver_phone_code is 'Digits sent by SMS; the hashes are worthless without the installation''s key.';
comment on column driver_phone_code.phone is 'As the driver''s row had it: what was confirmed is this and nothing else. Empty once they are erased.';
comment on column driver_phone_code.number is
    'A hash of its digits, by which codes to one number are counted however it is written, and whoever was erased meanwhile.';
comment on column driver_phone_code.address is 'From where it was asked for; null: by a program of the party.';
create index driver_phone_code_by_driver on driver_phone_code (party_id, driver_id, created_at desc);
create index driver_phone_code_by_number on driver_phone_code (number, created_at desc);
create index driver_phone_code_by_address on driver_phone_code (address, created_at desc) where address is not null;
create index driver_phone_code_by_end on driver_phone_code (expires_at);

create table invoice_rest (
    invoice_id uuid primary key references invoice,
    party_id   uuid    not null references party,
    kind       text    not null check (kind in ('invoice', 'self_billing')),
    customer   text    not null,
    currency   text    not null,
    number_key text    not null,
    due_on     date,
    amount     numeric not null
);
comment on table invoice_rest is
    'What is left of each invoice and of what a host gets, so that the open ones are found without those that are paid. Kept by triggers.';
comment on column invoice_rest.number_key is 'The document''s number without what payers leave out: capitals and digits.';
comment on column invoice_rest.amount is
    'What it comes to, less what was paid before and after it was issued and what credit notes took back, and with what was given back by these; below nothing where more was paid than is due.';
create index invoice_rest_open on invoice_rest (party_id, kind, due_on, invoice_id) where amount > 0;
create index invoice_rest_by_number on invoice_rest (party_id, kind, number_key) where amount > 0;
create index invoice_rest_by_amount on invoice_rest (party_id, kind, currency, amount) where amount > 0;
create index invoice_rest_by_customer on invoice_rest (party_id, kind, customer, currency) include (amount) where amount > 0;

create function invoice_rest_begins() returns trigger language plpgsql as $$
begin
    insert into invoice_rest (invoice_id, party_id, kind, customer, currency, number_key, due_on, amount)
    select invoice_id, party_id, kind, customer, currency, regexp_replace(upper(number), '[^0-9A-Z]', '', 'g'), due_on, total - paid
    from added where kind in ('invoice', 'self_billing');
    update invoice_rest r set amount = r.amount + n.total
    from (select corrects_id, sum(total) as total from added where corrects_id is not null group by corrects_id) n
    where r.invoice_id = n.corrects_id;
    return null;
end $$;
create trigger invoice_rest_begins after insert on invoice referencing new table as added
    for each statement execute function invoice_rest_begins();

create function invoice_rest_follows() returns trigger language plpgsql as $$
begin
    update invoice_rest r set amount = r.amount - p.amount
    from (select coalesce(i.corrects_id, i.invoice_id) as invoice_id,
                 sum(case when i.corrects_id is null then a.amount else -a.amount end) as amount
          from added a join invoice i using (invoice_id) group by 1) p
    where r.invoice_id = p.invoice_id;
    return null;
end $$;
create trigger invoice_rest_follows after insert on invoice_payment referencing new table as added
    for each statement execute function invoice_rest_follows();

insert into invoice_rest (invoice_id, party_id, kind, customer, currency, number_key, due_on, amount)
select i.invoice_id, i.party_id, i.kind, i.customer, i.currency, regexp_replace(upper(i.number), '[^0-9A-Z]', '', 'g'), i.due_on,
       i.total - i.paid
       + coalesce((select sum(n.total) from invoice n where n.corrects_id = i.invoice_id), 0)
       - coalesce((select sum(p.amount) from invoice_payment p where p.invoice_id = i.invoice_id), 0)
       + coalesce((select sum(p.amount) from invoice n join invoice_payment p using (invoice_id)
                   where n.corrects_id = i.invoice_id), 0)
from invoice i where i.kind in ('invoice', 'self_billing');
