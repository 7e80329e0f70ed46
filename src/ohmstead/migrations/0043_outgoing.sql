-- Money that went out by bank: lines below nothing, and to which account they went.

alter table bank_line drop constraint bank_line_amount_check;
alter table bank_line add constraint bank_line_amount_check check (amount <> 0);
alter table bank_line add column payee_iban text not null default '';
comment on table bank_line is 'Money that came in, or went out (negative), as the bank or a person told it. What it says is never changed.';
comment on column bank_line.payee_iban is 'The account that money went out to, where the statement names it.';

create or replace function bank_line_stays() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or (new.line_id, new.party_id, new.key, new.source, new.currency, new.amount, new.booked_on, new.payer,
                            new.text, new.bank_ref, new.account, new.payee_iban, new.created_at, new.created_by)
       is distinct from (old.line_id, old.party_id, old.key, old.source, old.currency, old.amount, old.booked_on, old.payer,
                         old.text, old.bank_ref, old.account, old.payee_iban, old.created_at, old.created_by) then
        raise exception 'what a bank told stays as it is' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;

comment on column bank_booking.postings is 'How much of it each customer, host (host:<id>) or the bank itself (fees:bank) gets or gave: {who: amount}.';
