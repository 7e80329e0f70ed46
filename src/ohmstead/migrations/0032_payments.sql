-- Payments: money asked from people through providers, what is done for it, what providers tell, and what stays owed.

alter table ledger_account drop constraint ledger_account_kind_check;
alter table ledger_account add constraint ledger_account_kind_check
    check (kind in ('psp_clearing', 'receivable', 'wallet', 'revenue', 'tax', 'fees', 'host_share', 'rounding', 'bank'));

create table payment_setting (
    party_id   uuid primary key references party on delete cascade,
    provider   text,
    hold_ac    numeric check (hold_ac > 0),
    hold_dc    numeric check (hold_dc > 0),
    updated_at timestamptz not null default now()
);
comment on table payment_setting is 'How a party is paid; what is null is chosen by the installation and by the tariff.';
comment on column payment_setting.hold_ac is 'Held before a guest charges at an AC outlet, in the currency of the tariff; null: reckoned from the tariff.';

create table stored_method (
    method_id    uuid primary key,
    party_id     uuid        not null references party,
    driver_id    uuid        not null,
    provider     text        not null,
    kind         text        not null,
    brand        text        not null default '',
    last4        text        not null default '' check (length(last4) <= 4),
    expires_on   date,
    is_default   boolean     not null default false,
    provider_ref text        not null,
    customer_ref text        not null,
    created_at   timestamptz not null,
    forgotten_at timestamptz,
    unique (provider, provider_ref)
);
comment on table stored_method is 'Cards and accounts that drivers let us use again. The provider keeps them; we keep what people know them by.';
create index stored_method_by_driver on stored_method (party_id, driver_id) where forgotten_at is null;
create unique index stored_method_default on stored_method (party_id, driver_id) where is_default and forgotten_at is null;

create table method_setup (
    setup_id     uuid primary key,
    party_id     uuid        not null references party,
    driver_id    uuid        not null,
    provider     text        not null,
    state        text        not null check (state in ('created', 'open', 'done', 'failed')),
    provider_ref text,
    url          text,
    method_id    uuid references stored_method,
    failure      text,
    created_at   timestamptz not null,
    look_at      timestamptz
);
comment on table method_setup is 'Drivers on their way to let us store a card or an account.';
create unique index method_setup_by_ref on method_setup (provider, provider_ref);
create index method_setup_to_look_at on method_setup (look_at) where look_at is not null;

create table payment (
    payment_id     uuid primary key,
    party_id       uuid        not null references party,
    provider       text        not null,
    purpose        text        not null check (purpose in ('session', 'top_up', 'debt', 'invoice', 'plan_fee')),
    customer       text        not null,
    state          text        not null check (state in ('created', 'authorizing', 'held', 'capturing', 'captured', 'releasing',
                                                         'released', 'failed')),
    is_hold        boolean     not null,
    currency       text        not null check (currency ~ '^[A-Z]{3}$'),
    amount         numeric     not null check (amount > 0),
    wanted         numeric     check (wanted >= 0),
    captured       numeric     not null default 0 check (captured >= 0 and captured <= amount),
    refunded       numeric     not null default 0 check (refunded >= 0 and refunded <= captured),
    disputed       numeric     not null default 0 check (disputed >= 0),
    session_id     uuid,
    cdr_id         uuid references cdr,
    debt_id        uuid,
    station_id     text,
    evse_number    integer,
    holds_plug     boolean     not null default false,
    token_uid      text,
    token_key      text        generated always as (lower(token_uid)) stored,
    web_payment_id uuid,
    email          text,
    language       text,
    description    text        not null default '',
    method_id      uuid references stored_method,
    order_key      text,
    provider_ref   text,
    checkout_ref   text,
    checkout_url   text,
    failure        text,
    created_at     timestamptz not null,
    pay_by         timestamptz,
    held_at        timestamptz,
    begin_by       timestamptz,
    capture_before timestamptz,
    closed_at      timestamptz,
    look_at        timestamptz,
    version        integer     not null default 1,
    unique (party_id, order_key)
);
comment on table payment is 'Money asked from somebody through a provider, and what became of it.';
comment on column payment.is_hold is 'It is held first and captured later; else it is captured at once.';
comment on column payment.amount is 'What is asked; once held, what is held.';
comment on column payment.wanted is 'What is to be captured of it: nothing means that it is let go; null: not known yet.';
comment on column payment.disputed is 'What the payer took back through their bank, and we did not win.';
comment on column payment.token_uid is 'The one-time token that a guest''s session is started with.';
comment on column payment.holds_plug is 'Nobody else pays for this outlet meanwhile.';
comment on column payment.provider_ref is 'What the provider calls the payment; checkout_ref: the page on which it is made.';
comment on column payment.begin_by is 'A session that has not begun by then does not: the hold is let go.';
comment on column payment.look_at is 'When the provider is asked about it, told or not; null: never again by itself.';
create unique index payment_one_per_plug on payment (station_id, evse_number) where holds_plug;
create unique index payment_by_token on payment (party_id, token_key) where token_key is not null;
create unique index payment_by_provider_ref on payment (provider, provider_ref) where provider_ref is not null;
create unique index payment_by_checkout_ref on payment (provider, checkout_ref) where checkout_ref is not null;
create index payment_by_party on payment (party_id, created_at desc, payment_id desc);
create index payment_by_customer on payment (party_id, customer, created_at desc);
create index payment_by_session on payment (session_id) where session_id is not null;
create index payment_to_look_at on payment (look_at) where look_at is not null;
create index payment_held on payment (state) where state in ('created', 'authorizing', 'held');

create table payment_operation (
    operation_id  uuid primary key,
    payment_id    uuid        not null references payment,
    party_id      uuid        not null references party,
    kind          text        not null check (kind in ('checkout', 'hold', 'charge', 'increase', 'capture', 'release', 'refund',
                                                       'start', 'stop')),
    amount        numeric     check (amount > 0),
    reason        text        not null default '',
    details       jsonb,
    state         text        not null default 'waiting' check (state in ('waiting', 'done', 'failed')),
    n_tries       integer     not null default 0,
    n_declines    integer     not null default 0,
    next_at       timestamptz not null,
    claimed_until timestamptz,
    last_error    text,
    created_at    timestamptz not null,
    created_by    text        not null,
    finished_at   timestamptz
);
comment on table payment_operation is 'What is to be done outside for a payment: written first, done afterwards, by one worker at a time, again with the same key.';
comment on column payment_operation.n_declines is 'How often the provider said no for certain; a new attempt after that has a key of its own.';
create index payment_operation_waiting on payment_operation (next_at) where state = 'waiting';
create index payment_operation_by_payment on payment_operation (payment_id, operation_id);

create table payment_webhook (
    provider      text        not null,
    event_id      text        not null,
    kind          text        not null,
    about         text        not null,
    refs          text[]      not null,
    body          bytea       not null,
    received_at   timestamptz not null,
    payment_id    uuid,
    outcome       text,
    n_tries       integer     not null default 0,
    next_at       timestamptz,
    claimed_until timestamptz,
    last_error    text,
    primary key (provider, event_id)
);
comment on table payment_webhook is 'What providers told, as it came and was signed. Each is processed once, in any order, by asking for the object''s state.';
comment on column payment_webhook.next_at is 'When it is processed; null: it was.';
create index payment_webhook_waiting on payment_webhook (next_at) where next_at is not null;
create index payment_webhook_by_time on payment_webhook (received_at);

create table payment_debt (
    debt_id    uuid primary key,
    party_id   uuid        not null references party,
    customer   text        not null,
    currency   text        not null,
    amount     numeric     not null check (amount > 0),
    payment_id uuid references payment,
    session_id uuid,
    cdr_id     uuid references cdr,
    reason     text        not null,
    opened_at  timestamptz not null,
    settled_at timestamptz,
    settled_by uuid references payment,
    settled_how text       check (settled_how in ('paid', 'credited', 'forgiven')),
    note       text        not null default '',
    check ((settled_at is null) = (settled_how is null))
);
comment on table payment_debt is 'What a payment should have covered and did not. Its customer begins nothing until it is settled.';
create unique index payment_debt_open on payment_debt (payment_id) where settled_at is null;
create index payment_debt_by_customer on payment_debt (party_id, customer) where settled_at is null;
create index payment_debt_by_party on payment_debt (party_id, opened_at desc, debt_id desc);

create table payment_dispute (
    dispute_id   uuid primary key,
    party_id     uuid        not null references party,
    payment_id   uuid        not null references payment,
    provider     text        not null,
    provider_ref text        not null,
    state        text        not null check (state in ('open', 'won', 'lost')),
    currency     text        not null,
    amount       numeric     not null check (amount > 0),
    reason       text        not null,
    opened_at    timestamptz not null,
    closed_at    timestamptz,
    unique (provider, provider_ref)
);
comment on table payment_dispute is 'Payments that payers took back through their banks.';
create index payment_dispute_by_party on payment_dispute (party_id, opened_at desc, dispute_id desc);

create table payment_balance_line (
    provider   text        not null,
    ref        text        not null,
    party_id   uuid        not null references party,
    kind       text        not null check (kind in ('charge', 'refund', 'dispute', 'fee', 'payout', 'other')),
    payment_id uuid references payment,
    currency   text        not null,
    gross      numeric     not null,
    fee        numeric     not null,
    at         timestamptz not null,
    text       text        not null default '',
    primary key (provider, ref)
);
comment on table payment_balance_line is 'What a provider says moved on our account with it.';
create index payment_balance_line_by_payment on payment_balance_line (payment_id) where payment_id is not null;
create index payment_balance_line_by_party on payment_balance_line (party_id, provider, currency);

create table payment_reconciliation (
    provider text primary key,
    until_at timestamptz not null,
    ran_at   timestamptz not null
);
comment on table payment_reconciliation is 'Up to when a provider''s account was compared with ours.';

create table payment_difference (
    difference_id uuid primary key,
    party_id      uuid        not null references party,
    key           text        not null,
    kind          text        not null,
    provider      text,
    payment_id    uuid references payment,
    cdr_id        uuid references cdr,
    currency      text        not null,
    expected      numeric     not null,
    found         numeric     not null,
    text          text        not null,
    found_at      timestamptz not null,
    state         text        not null default 'open' check (state in ('open', 'explained', 'gone')),
    note          text        not null default '',
    decided_at    timestamptz,
    decided_by    text,
    unique (party_id, key)
);
comment on table payment_difference is 'Where provider, books and CDRs do not agree, and why.';
comment on column payment_difference.state is 'gone: at a later look there was no difference any more.';
create index payment_difference_by_party on payment_difference (party_id, found_at desc, difference_id desc);

create table sandbox_object (
    ref     text primary key,
    kind    text        not null check (kind in ('payment', 'setup', 'method')),
    content jsonb       not null,
    due_at  timestamptz
);
comment on table sandbox_object is 'The sandbox provider''s own side: what a real one would keep on its machines.';
create index sandbox_object_due on sandbox_object (due_at) where due_at is not null;

create table sandbox_call (
    key     text primary key,
    digest  bytea       not null,
    ref     text        not null,
    made_at timestamptz not null
);
comment on table sandbox_call is 'Requests that the sandbox has carried out, by their idempotency keys.';

create table sandbox_event (
    event_id     text primary key,
    body         text        not null,
    due_at       timestamptz,
    n_tries      integer     not null default 0
);
comment on table sandbox_event is 'Webhooks of the sandbox; due_at null: delivered.';
create index sandbox_event_due on sandbox_event (due_at) where due_at is not null;

create table sandbox_balance (
    ref     text primary key,
    at      timestamptz not null,
    content jsonb       not null
);
comment on table sandbox_balance is 'What moved on the sandbox''s account, as its own statement says.';
create index sandbox_balance_by_time on sandbox_balance (at, ref);
