-- Payments and debts are found by what they are about, however many there are.

create index payment_by_cdr on payment (cdr_id) where cdr_id is not null;
create index payment_without_cdr on payment (session_id) where state = 'captured' and is_hold and cdr_id is null;
create index payment_debt_by_payment on payment_debt (payment_id);
create index payment_debt_by_cdr on payment_debt (cdr_id) where settled_at is null;
create index payment_dispute_by_payment on payment_dispute (payment_id);
