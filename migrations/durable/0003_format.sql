-- Which form a row's state has, and its commands. A program that knows older forms alone leaves the row to one that knows it: two versions run
-- beside each other while one takes the other's place.
alter table machine add column format integer not null default 1;
