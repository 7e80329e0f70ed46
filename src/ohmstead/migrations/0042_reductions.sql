-- What people took off a bill, so that it stays off when the session is billed anew.

create table cdr_reduction (
    cdr_id     uuid primary key references cdr,
    reduces_id uuid        not null unique references cdr,
    party_id   uuid        not null references party,
    session_id uuid        not null references session,
    currency   text        not null check (currency ~ '^[A-Z]{3}$'),
    amount     numeric     not null check (amount > 0),
    reason     text        not null,
    created_at timestamptz not null,
    created_by text        not null,
    ended_at   timestamptz
);
comment on table cdr_reduction is 'An amount, with taxes, that a person took off what a session was billed, and why.';
comment on column cdr_reduction.cdr_id is 'The CDR that was made instead of the one that is reduced.';
comment on column cdr_reduction.ended_at is 'When its session was not billed any more: billed after all, it is billed in full.';
create index cdr_reduction_by_session on cdr_reduction (session_id);
