-- Money that came in by bank, which documents it paid, and documents that are paid online.

create table incoming_setting (
    party_id    uuid primary key references party on delete cascade,
    books_exact boolean     not null default false,
    columns     jsonb,
    reminder_days integer[] not null default '{}' check (cardinality(reminder_days) <= 3),
    updated_at  timestamptz not null default now(),
    updated_by  text        not null
);
comment on table incoming_setting is 'How a party takes in what its bank tells.';
comment on column incoming_setting.books_exact is 'A line that names one open invoice and pays exactly it is booked without a person.';
comment on column incoming_setting.columns is 'How the columns of the last CSV statement were called.';

comment on column incoming_setting.reminder_days is 'How many days after an invoice was due each reminder is sent; empty: none.';

create table bank_line (
    line_id    uuid primary key,
    party_id   uuid        not null references party,
    key        text        not null,
    source     text        not null check (source in ('hand', 'csv', 'camt')),
    currency   text        not null check (currency ~ '^[A-Z]{3}$'),
    amount     numeric     not null check (amount > 0),
    booked_on  date        not null,
    payer      text        not null default '',
    text       text        not null default '',
    bank_ref   text        not null default '',
    account    text        not null default '',
    state      text        not null default 'open' check (state in ('open', 'booked', 'set_aside')),
    note       text        not null default '',
    created_at timestamptz not null,
    created_by text        not null,
    unique (party_id, key)
);
comment on table bank_line is 'Money that came in, as the bank or a person told it. What it says is never changed.';
comment on column bank_line.key is 'The bank''s reference, else a digest of all that it says: the same line is taken in once.';
comment on column bank_line.state is 'set_aside: it pays no document of ours, as a provider''s payout; note says why.';
create index bank_line_by_party on bank_line (party_id, booked_on desc, line_id desc);
create index bank_line_open on bank_line (party_id) where state = 'open';

create function bank_line_stays() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.line_id, new.party_id, new.key, new.source, new.currency, new.amount, new.booked_on, new.payer,
                            new.text, new.bank_ref, new.account, new.created_at, new.created_by)
       is distinct from (old.line_id, old.party_id, old.key, old.source, old.currency, old.amount, old.booked_on, old.payer,
                         old.text, old.bank_ref, old.account, old.created_at, old.created_by) then
        raise exception 'what a bank told stays as it is' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger bank_line_stays before update or delete on bank_line for each row execute function bank_line_stays();

create table bank_booking (
    booking_id  uuid primary key,
    party_id    uuid        not null references party,
    line_id     uuid        not null references bank_line,
    postings    jsonb       not null,
    created_at  timestamptz not null,
    created_by  text        not null,
    reversed_at timestamptz,
    reversed_by text,
    why         text        not null default '',
    check ((reversed_at is null) = (reversed_by is null))
);
comment on table bank_booking is 'A line put into the books; one that was wrong is reversed by another entry, and the line may be booked anew.';
comment on column bank_booking.postings is 'How much of it each customer is owed less: {customer: amount}.';
create unique index bank_booking_standing on bank_booking (line_id) where reversed_at is null;
create index bank_booking_by_line on bank_booking (line_id, booking_id);

create table invoice_payment (
    invoice_payment_id uuid primary key,
    party_id           uuid        not null references party,
    invoice_id         uuid        not null references invoice,
    key                text        not null,
    booking_id         uuid        references bank_booking,
    payment_id         uuid        references payment,
    currency           text        not null,
    amount             numeric     not null check (amount <> 0),
    paid_on            date        not null,
    created_at         timestamptz not null,
    created_by         text        not null,
    unique (party_id, key),
    check (num_nonnulls(booking_id, payment_id) = 1)
);
comment on table invoice_payment is 'What paid how much of which document after it was issued; taken back by another row with a negative amount.';
create index invoice_payment_by_invoice on invoice_payment (invoice_id);
create index invoice_payment_by_booking on invoice_payment (booking_id) where booking_id is not null;
create index invoice_payment_by_payment on invoice_payment (payment_id) where payment_id is not null;
create trigger invoice_payment_keep before update or delete on invoice_payment for each row execute function billing_keep();

create table invoice_order (
    payment_id uuid primary key references payment,
    party_id   uuid        not null references party,
    invoice_id uuid        not null references invoice,
    created_at timestamptz not null
);
comment on table invoice_order is 'Payments that somebody was asked for on a document''s page.';
create index invoice_order_by_invoice on invoice_order (invoice_id, created_at desc);
create table invoice_reminder (
    invoice_id uuid        not null references invoice,
    stage      integer     not null check (stage between 1 and 3),
    party_id   uuid        not null references party,
    is_final   boolean     not null,
    open       numeric     not null,
    sent_at    timestamptz not null,
    primary key (invoice_id, stage)
);
comment on table invoice_reminder is 'Which reminders an invoice had: each stage once.';
create index invoice_due on invoice (party_id, due_on) where kind = 'invoice';
