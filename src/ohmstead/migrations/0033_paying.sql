-- Ways of paying: who pays for a session and with what, prepaid wallets, plans, coupons, companies.

create table paying_policy (
    party_id       uuid primary key references party,
    without_method text        not null default 'invoice' check (without_method in ('invoice', 'refuse')),
    hold_amount    numeric     not null default 20 check (hold_amount > 0),
    least_credit   numeric     not null default 1 check (least_credit >= 0),
    version        integer     not null default 1,
    updated_at     timestamptz not null default now()
);
comment on table paying_policy is 'How a party is paid. A party without a row has set nothing up: its tokens charge on account, and nobody asks.';
comment on column paying_policy.without_method is 'What becomes of tokens for which nobody pays in particular.';
comment on column paying_policy.hold_amount is 'How much of a wallet or a company''s limit a session holds, again and again as it goes on.';
comment on column paying_policy.least_credit is 'With less than this to spend no session begins.';

create table company (
    company_id      uuid primary key,
    party_id        uuid        not null references party,
    name            text        not null,
    vat_number      text,
    address         text        not null default '',
    postal_code     text        not null default '',
    city            text        not null default '',
    country         text        not null default '' check (country ~ '^([A-Z]{2})?$'),
    email           text,
    reference       text        not null default '',
    currency        text        not null check (currency ~ '^[A-Z]{3}$'),
    payment_days    integer     not null default 14 check (payment_days between 0 and 365),
    limit_per_month numeric     check (limit_per_month >= 0),
    status          text        not null default 'active' check (status in ('active', 'suspended', 'ended')),
    version         integer     not null default 1,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    unique (party_id, company_id)
);
comment on table company is 'Whoever pays afterwards for what its members charge: one invoice a month for all of it.';
comment on column company.reference is 'Their order number or cost centre, as they want it on invoices.';
comment on column company.limit_per_month is 'With taxes, by the calendar month of the books; null: as much as they charge.';
create index company_by_party on company (party_id, lower(name), company_id);

create table company_member (
    company_id uuid        not null references company,
    party_id   uuid        not null references party,
    driver_id  uuid,
    token_id   uuid        references token on delete cascade,
    added_at   timestamptz not null default now(),
    added_by   text        not null,
    check ((driver_id is null) <> (token_id is null)),
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on table company_member is 'For whom a company pays: drivers with all their tokens, or single tokens. Of one company at a time.';
create unique index company_member_driver on company_member (driver_id) where driver_id is not null;
create unique index company_member_token on company_member (token_id) where token_id is not null;
create index company_member_by_company on company_member (company_id);

create table paying_method (
    party_id  uuid        not null references party,
    token_id  uuid        references token on delete cascade,
    driver_id uuid,
    kind      text        not null check (kind in ('wallet', 'card', 'company', 'invoice', 'partner', 'free')),
    ref       text,
    set_at    timestamptz not null,
    set_by    text        not null,
    check ((token_id is null) <> (driver_id is null)),
    check ((ref is not null) = (kind in ('card', 'company', 'partner'))),
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on table paying_method is 'With what a token or a driver pays, where somebody said so. A token''s own comes before its driver''s.';
comment on column paying_method.ref is 'Which stored card, company or partner (its code).';
create unique index paying_method_token on paying_method (token_id) where token_id is not null;
create unique index paying_method_driver on paying_method (driver_id) where driver_id is not null;

create table paying_partner (
    party_id uuid        not null references party,
    prefix   text        not null check (prefix ~ '^[A-Z]{2}[A-Z0-9]{3}$'),
    partner  text        not null check (partner ~ '^[A-Z]{2}-[A-Z0-9]{3}$'),
    name     text        not null,
    added_at timestamptz not null default now(),
    primary key (party_id, prefix)
);
comment on table paying_partner is 'Whose contracts are billed to whom: a contract id (eMAID) that begins so is paid for by that partner.';

create table wallet (
    driver_id     uuid primary key,
    party_id      uuid        not null references party,
    currency      text        not null check (currency ~ '^[A-Z]{3}$'),
    credit_limit  numeric     not null default 0 check (credit_limit >= 0),
    auto_below    numeric     check (auto_below >= 0),
    auto_amount   numeric     check (auto_amount > 0),
    auto_method   uuid,
    auto_payment  uuid,
    auto_number   integer     not null default 0,
    auto_failed_at timestamptz,
    low_told      boolean     not null default false,
    version       integer     not null default 1,
    opened_at     timestamptz not null default now(),
    check ((auto_below is null) = (auto_amount is null) and (auto_below is null) = (auto_method is null)),
    unique (party_id, driver_id),
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
comment on table wallet is 'A driver''s prepaid wallet. What is in it is in the ledger (wallet:driver:<id>); whoever takes or holds some holds this row.';
comment on column wallet.credit_limit is 'How far below nothing it may go.';
comment on column wallet.auto_payment is 'The automatic top-up that is under way.';
comment on column wallet.auto_failed_at is 'It failed then: nothing is topped up by itself until it is set anew.';
comment on column wallet.low_told is 'Its driver was told that little is left, and has not topped up since.';

create table wallet_due (
    due_id     uuid primary key,
    party_id   uuid        not null references party,
    driver_id  uuid        not null references wallet,
    kind       text        not null check (kind in ('cdr', 'plan_fee')),
    ref_id     uuid        not null,
    currency   text        not null,
    due_minor  bigint      not null check (due_minor > 0),
    paid_minor bigint      not null default 0 check (paid_minor between 0 and due_minor),
    n_paid     integer     not null default 0,
    is_over    boolean     not null default false,
    created_at timestamptz not null,
    unique (party_id, kind, ref_id)
);
comment on table wallet_due is 'What a wallet is to pay, and has paid. What it could not pay yet is paid by what comes in next, the oldest first.';
comment on column wallet_due.is_over is 'Nothing more is taken for it: it is paid, or was taken back.';
create index wallet_due_open on wallet_due (driver_id, created_at) where not is_over;

create table cover_hold (
    hold_id      uuid primary key,
    party_id     uuid        not null references party,
    account      text        not null,
    currency     text        not null,
    amount_minor bigint      not null check (amount_minor >= 0),
    uid_key      text,
    station_id   text,
    session_id   uuid        unique,
    payment_id   uuid        unique,
    made_at      timestamptz not null,
    expires_at   timestamptz,
    check (payment_id is not null or (uid_key is not null and station_id is not null))
);
comment on table cover_hold is 'What running sessions, and refunds on their way, hold of a wallet (driver:<id>) or of a company''s limit (company:<id>).';
comment on column cover_hold.expires_at is 'Of a start whose session nobody has seen yet: after that it holds nothing.';
create index cover_hold_by_account on cover_hold (party_id, account);
create unique index cover_hold_of_start on cover_hold (party_id, uid_key, station_id) where session_id is null and payment_id is null;

create table session_cover (
    session_id      uuid primary key references session on delete cascade,
    party_id        uuid        not null references party,
    kind            text        not null check (kind in ('wallet', 'card', 'company', 'invoice', 'partner', 'free', 'ad_hoc', 'terminal',
                                                         'refused')),
    ref             text,
    source          text        not null,
    driver_id       uuid,
    limit_amount    numeric,
    currency        text,
    plans           text[]      not null default '{}',
    coupons         text[]      not null default '{}',
    covered_at      timestamptz not null default now()
);
comment on table session_cover is 'Who pays for a session and with what, and by which plans and coupons, as it was when it began.';
comment on column session_cover.source is 'What decided it: token, driver, company, contract, payment, terminal or policy.';
comment on column session_cover.limit_amount is 'What is held for it now; null: nothing is.';
create index session_cover_by_driver on session_cover (driver_id) where coupons <> '{}';

create table plan (
    plan_id      uuid primary key,
    party_id     uuid        not null references party,
    name         text        not null,
    label        text        not null,
    description  text        not null default '',
    currency     text        not null check (currency ~ '^[A-Z]{3}$'),
    monthly_fee  numeric     not null check (monthly_fee >= 0),
    taxes        jsonb       not null,
    tax_included boolean     not null,
    included_wh  bigint      not null default 0 check (included_wh >= 0),
    from_on      date,
    until_on     date,
    status       text        not null default 'offered' check (status in ('offered', 'closed')),
    version      integer     not null default 1,
    created_at   timestamptz not null default now(),
    updated_at   timestamptz not null default now(),
    unique (party_id, label),
    unique (party_id, plan_id)
);
comment on table plan is 'What drivers subscribe to: a fee each month, energy that is in it, and member prices by the label in tariffs.';
comment on column plan.label is 'Tariffs give whoever has the plan other prices by it (adjustments for plans).';
comment on column plan.from_on is 'It may be subscribed from this day; until_on: before this day.';

create table subscription (
    subscription_id uuid primary key,
    party_id        uuid        not null references party,
    plan_id         uuid        not null,
    driver_id       uuid        not null,
    started_on      date        not null,
    ends_on         date,
    started_at      timestamptz not null,
    ended_at        timestamptz,
    charged_until   date        not null,
    version         integer     not null default 1,
    foreign key (party_id, plan_id) references plan (party_id, plan_id),
    foreign key (party_id, driver_id) references driver (party_id, driver_id),
    check (ends_on is null or ends_on > started_on)
);
comment on table subscription is 'A driver has a plan, from a day on. Cancelled, it ends with its month.';
comment on column subscription.ends_on is 'The first day without it; null: it goes on.';
comment on column subscription.charged_until is 'Its fee was charged for all days before this one.';
create unique index subscription_running on subscription (driver_id, plan_id) where ended_at is null;
create index subscription_by_party on subscription (party_id, started_at desc, subscription_id desc);
create index subscription_by_driver on subscription (party_id, driver_id);
create index subscription_due on subscription (charged_until) where ended_at is null;

create table plan_charge (
    plan_charge_id  uuid primary key,
    party_id        uuid        not null references party,
    subscription_id uuid        not null references subscription,
    plan_id         uuid        not null,
    driver_id       uuid        not null,
    plan_name       text        not null,
    from_on         date        not null,
    until_on        date        not null check (until_on > from_on),
    currency        text        not null,
    before_taxes    numeric     not null,
    taxes           jsonb       not null,
    total           numeric     not null,
    included_wh     bigint      not null,
    country         text        not null,
    created_at      timestamptz not null,
    unique (subscription_id, from_on)
);
comment on table plan_charge is 'The fee of one month of a subscription, and the energy that is in it. until_on: the first day after.';
create index plan_charge_by_driver on plan_charge (party_id, driver_id, from_on);
create trigger plan_charge_keep before update or delete on plan_charge for each row execute function billing_keep();

create table included_use (
    plan_charge_id uuid    not null references plan_charge,
    session_id     uuid    not null references session,
    party_id       uuid    not null references party,
    energy_wh      numeric not null check (energy_wh > 0),
    primary key (plan_charge_id, session_id)
);
comment on table included_use is 'How much of the energy in a month''s fee a session took, by its CDR that stands.';
create index included_use_by_session on included_use (session_id);

create table coupon (
    coupon_id   uuid primary key,
    party_id    uuid        not null references party,
    code        text        not null,
    code_key    text        not null generated always as (lower(code)) stored,
    label       text        not null,
    most_drivers integer    check (most_drivers > 0),
    sessions_each integer   check (sessions_each > 0),
    valid_from  timestamptz,
    valid_until timestamptz,
    status      text        not null default 'active' check (status in ('active', 'stopped')),
    version     integer     not null default 1,
    created_at  timestamptz not null default now(),
    unique (party_id, code_key),
    unique (party_id, coupon_id)
);
comment on table coupon is 'A code that drivers redeem; tariffs give its label other prices (adjustments for coupons).';
comment on column coupon.most_drivers is 'So many may redeem it; null: any number.';
comment on column coupon.sessions_each is 'For so many sessions it counts, for each of them; null: until it is over.';

create table coupon_redemption (
    coupon_id   uuid        not null,
    driver_id   uuid        not null,
    party_id    uuid        not null references party,
    redeemed_at timestamptz not null,
    primary key (coupon_id, driver_id),
    foreign key (party_id, coupon_id) references coupon (party_id, coupon_id),
    foreign key (party_id, driver_id) references driver (party_id, driver_id)
);
create index coupon_redemption_by_driver on coupon_redemption (driver_id);

create index cdr_by_customer on cdr (party_id, customer, ended_at);
