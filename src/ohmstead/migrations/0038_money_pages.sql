-- The books by day: what pages of money ask for.

create index ledger_entry_by_day on ledger_entry (party_id, booked_on, number);
