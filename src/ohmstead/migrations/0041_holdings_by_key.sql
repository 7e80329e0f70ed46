-- Whose a token was when a session began is asked for each session that is billed; without this each asked all holdings of the party.
create index token_holding_by_key on token_holding (party_id, uid_key, from_at);
