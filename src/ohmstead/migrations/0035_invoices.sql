-- Documents: who sells, to whom, numbers without gaps, what was issued, runs of a month, hosts and their shares.

create table invoice_seller (
    party_id   uuid primary key references party,
    content    jsonb       not null,
    version    integer     not null default 1,
    updated_at timestamptz not null default now(),
    updated_by text        not null
);
comment on table invoice_seller is 'What law wants on a party''s documents: its name, address, VAT ids, bank. Kept with each document as it was.';

create table invoice_format (
    party_id uuid not null references party,
    kind     text not null check (kind in ('receipt', 'invoice', 'statement', 'credit_note', 'self_billing')),
    format   text not null,
    primary key (party_id, kind)
);
comment on table invoice_format is 'How numbers of a kind are written, where it is not as it comes: R-{year}-{n:06}.';

create table invoice_range (
    party_id    uuid    not null references party,
    kind        text    not null check (kind in ('receipt', 'invoice', 'statement', 'credit_note', 'self_billing')),
    year        integer not null check (year between 0 and 9999),
    last_number bigint  not null default 0 check (last_number >= 0),
    primary key (party_id, kind, year)
);
comment on table invoice_range is 'The last number of each range. Whoever issues holds the end of the party''s ledger, so numbers have no gaps.';
comment on column invoice_range.year is '0: the format names no year, so that the numbers run on.';

create function invoice_range_goes_on() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.party_id, new.kind, new.year) <> (old.party_id, old.kind, old.year)
       or new.last_number <> old.last_number + 1 then
        raise exception 'numbers follow one another' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger invoice_range_goes_on before update or delete on invoice_range
    for each row execute function invoice_range_goes_on();

create table billing_host (
    host_id    uuid primary key,
    party_id   uuid        not null references party,
    name       text        not null,
    content    jsonb       not null,
    version    integer     not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (party_id, host_id)
);
comment on table billing_host is 'Whoever owns places where a party''s stations stand, and gets a share.';
create index billing_host_by_party on billing_host (party_id, lower(name), host_id);

create table host_contract (
    contract_id   uuid primary key,
    party_id      uuid        not null references party,
    host_id       uuid        not null,
    location_id   uuid        not null references location,
    share_percent numeric     check (share_percent > 0 and share_percent <= 100),
    fee_per_kwh   numeric     check (fee_per_kwh > 0),
    currency      text        not null check (currency ~ '^[A-Z]{3}$'),
    from_on       date        not null,
    until_on      date        check (until_on > from_on),
    created_at    timestamptz not null default now(),
    created_by    text        not null,
    foreign key (party_id, host_id) references billing_host (party_id, host_id),
    check ((share_percent is null) <> (fee_per_kwh is null))
);
comment on table host_contract is 'What a host gets of the sessions at a location: a share of what they bring in without taxes, or so much for a kWh.';
comment on column host_contract.until_on is 'The first day on which it holds no longer; null: until somebody ends it.';
create index host_contract_by_location on host_contract (location_id, from_on);
create index host_contract_by_host on host_contract (host_id);

create table invoice_customer (
    party_id   uuid        not null references party,
    customer   text        not null,
    content    jsonb       not null,
    version    integer     not null default 1,
    updated_at timestamptz not null default now(),
    updated_by text        not null,
    primary key (party_id, customer)
);
comment on table invoice_customer is 'What a customer wants on their documents: name and address, VAT id, reference.';

create table invoice_run (
    run_id      uuid primary key,
    party_id    uuid        not null references party,
    month       date        not null check (extract(day from month) = 1),
    kind        text        not null check (kind in ('customers', 'hosts')),
    status      text        not null default 'queued' check (status in ('queued', 'running', 'done')),
    n_wanted    integer     not null default 0,
    n_done      integer     not null default 0,
    n_issued    integer     not null default 0,
    problems    jsonb       not null default '[]',
    asked_by    text        not null,
    asked_at    timestamptz not null,
    finished_at timestamptz
);
comment on table invoice_run is 'A month''s documents being made. What was made stays when the worker dies; the job goes on with the rest.';
comment on column invoice_run.problems is 'Customers without a document, and why.';
create index invoice_run_by_party on invoice_run (party_id, asked_at desc, run_id desc);
create unique index invoice_run_open on invoice_run (party_id, kind) where status <> 'done';

create table invoice (
    invoice_id   uuid primary key,
    party_id     uuid        not null references party,
    kind         text        not null check (kind in ('receipt', 'invoice', 'statement', 'credit_note', 'self_billing')),
    year         integer     not null,
    n            bigint      not null check (n > 0),
    number       text        not null,
    key          text        not null,
    customer     text        not null,
    currency     text        not null check (currency ~ '^[A-Z]{3}$'),
    issued_on    date        not null,
    due_on       date,
    from_on      date,
    to_on        date,
    before_taxes numeric     not null,
    total        numeric     not null,
    paid         numeric     not null,
    buyer_name   text        not null,
    n_lines      integer     not null,
    session_id   uuid,
    corrects_id  uuid        references invoice,
    host_id      uuid,
    run_id       uuid        references invoice_run,
    content      jsonb       not null,
    created_at   timestamptz not null,
    created_by   text        not null,
    unique (party_id, number),
    unique (party_id, key),
    unique (party_id, kind, year, n),
    check ((kind = 'credit_note') = (corrects_id is not null)),
    check ((kind = 'self_billing') = (host_id is not null))
);
comment on table invoice is 'What was issued, as it was: never changed, corrected by a credit note.';
comment on column invoice.key is 'The same document has the same key for ever: it is issued once, however often it is asked for.';
comment on column invoice.total is 'What it comes to with taxes, exactly what its CDRs come to; negative of a credit note.';
comment on column invoice.paid is 'What had been paid when it was issued.';
comment on column invoice.content is 'Seller and buyer as they were, lines, taxes, totals.';
create index invoice_by_party on invoice (party_id, created_at desc, invoice_id desc);
create index invoice_by_customer on invoice (party_id, customer, created_at desc);
create index invoice_by_session on invoice (session_id) where session_id is not null;
create index invoice_by_corrected on invoice (corrects_id) where corrects_id is not null;
create index invoice_by_run on invoice (run_id) where run_id is not null;

create table invoice_cdr (
    cdr_id     uuid primary key references cdr,
    party_id   uuid not null references party,
    invoice_id uuid not null references invoice
);
comment on table invoice_cdr is 'On which document a CDR stands: on one, ever. Statements only list documents.';
create index invoice_cdr_by_invoice on invoice_cdr (invoice_id);

create table invoice_fee (
    plan_charge_id uuid primary key references plan_charge,
    party_id       uuid not null references party,
    invoice_id     uuid not null references invoice
);
comment on table invoice_fee is 'On which document the fee of a month of a plan stands.';
create index invoice_fee_by_invoice on invoice_fee (invoice_id);

create table host_cdr (
    cdr_id     uuid primary key references cdr,
    party_id   uuid not null references party,
    invoice_id uuid not null references invoice
);
comment on table host_cdr is 'In which statement to a host a CDR was counted: in one, ever.';
create index host_cdr_by_invoice on host_cdr (invoice_id);

create trigger invoice_keep before update or delete on invoice for each row execute function billing_keep();
create trigger invoice_cdr_keep before update or delete on invoice_cdr for each row execute function billing_keep();
create trigger invoice_fee_keep before update or delete on invoice_fee for each row execute function billing_keep();
create trigger host_cdr_keep before update or delete on host_cdr for each row execute function billing_keep();

-- Which CDRs of a place are in no statement yet.
create index cdr_by_place on cdr (party_id, location_id, ended_at);
