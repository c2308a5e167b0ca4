DROP INDEX "sessions_active";--> statement-breakpoint
ALTER TABLE "sessions" RENAME COLUMN "active_minute" TO "active_slot";--> statement-breakpoint
-- Tens of seconds instead of minutes: a list by last activity sorts one slot, and a minute of a rush was too much to sort. Said as a change of type it writes the
-- table anew, once, where an update would leave each row behind as a dead one.
ALTER TABLE "sessions" ALTER COLUMN "active_slot" SET DATA TYPE integer USING floor(extract(epoch FROM "last_active_at") / 10)::integer;--> statement-breakpoint
CREATE INDEX "sessions_active" ON "sessions" USING btree ("active_slot","app_id","method","device","country","ip");--> statement-breakpoint
CREATE INDEX "sessions_live_active" ON "sessions" USING btree ("active_slot","app_id","method","device","country","ip") WHERE "sessions"."ended_at" is null;
