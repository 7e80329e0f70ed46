-- Debts that were paid and are not due any more, and cards that providers are to forget.

alter table payment_debt add column returned numeric not null default 0;
alter table payment_debt add constraint payment_debt_returned_check check (returned >= 0 and returned <= amount);
comment on column payment_debt.returned is
    'What of it was due no more after it was paid: the payment that settled it gives so much back.';
create index payment_debt_by_payer on payment_debt (settled_by) where settled_by is not null;

alter table stored_method add column leaves_at timestamptz;
comment on column stored_method.leaves_at is
    'Its driver was erased: it pays what they owe from before, at the latest until then, and nothing else.';

create table method_removal (
    removal_id    uuid        primary key,
    party_id      uuid        not null references party,
    driver_id     uuid        not null,
    provider      text        not null,
    kind          text        not null check (kind in ('method', 'customer')),
    ref           text        not null,
    method_id     uuid        references stored_method,
    state         text        not null default 'waiting' check (state in ('waiting', 'done')),
    n_tries       integer     not null default 0,
    next_at       timestamptz not null,
    claimed_until timestamptz,
    last_error    text,
    created_at    timestamptz not null,
    finished_at   timestamptz,
    unique (provider, kind, ref)
);
comment on table method_removal is
    'What a provider is to forget: cards, and whoever had them. Written first, asked afterwards, again until it did.';
comment on column method_removal.ref is 'What the provider calls it; of a customer also the page that was made for them.';
create index method_removal_waiting on method_removal (next_at) where state = 'waiting';
create index method_removal_by_driver on method_removal (party_id, driver_id);
create index method_setup_by_driver on method_setup (party_id, driver_id);

-- Cards that were removed, and erased drivers, from before: whatever a provider still has of them.
update stored_method m set leaves_at = now(), is_default = false from driver d
    where d.party_id = m.party_id and d.driver_id = m.driver_id and d.status = 'erased' and m.forgotten_at is null;
update stored_method m set brand = '', last4 = '', expires_on = null from driver d
    where d.party_id = m.party_id and d.driver_id = m.driver_id and d.status = 'erased' and m.forgotten_at is not null;
update method_setup s set state = 'failed', failure = 'erased', look_at = null from driver d
    where d.party_id = s.party_id and d.driver_id = s.driver_id and d.status = 'erased' and s.state in ('created', 'open');
insert into method_removal (removal_id, party_id, driver_id, provider, kind, ref, method_id, next_at, created_at)
    select gen_random_uuid(), party_id, driver_id, provider, 'method', provider_ref, method_id, now(), now()
    from stored_method where forgotten_at is not null or leaves_at is not null;
insert into method_removal (removal_id, party_id, driver_id, provider, kind, ref, next_at, created_at)
    select gen_random_uuid(), x.party_id, x.driver_id, x.provider, 'customer', x.ref, now(), now()
    from (select party_id, driver_id, provider, customer_ref as ref from stored_method
          union select party_id, driver_id, provider, provider_ref from method_setup
          where provider_ref is not null and method_id is null) x
    join driver d on d.party_id = x.party_id and d.driver_id = x.driver_id and d.status = 'erased'
    on conflict do nothing;
