-- What was too small for a card is taken once it is enough; who owes no more than that is held for nothing.
create index payment_debt_small on payment_debt (party_id, customer, currency) where settled_at is null and reason = 'amount_too_small';
comment on table payment_debt is 'What a payment should have covered and did not. Its customer begins nothing until it is settled, unless it was too small for a card.';
