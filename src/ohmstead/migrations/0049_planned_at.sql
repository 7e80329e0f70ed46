-- When a car's plan was last made or begun anew: an answer to an order from before says nothing of it.
alter table charging_needs add column planned_at timestamptz;
