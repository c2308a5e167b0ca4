DROP INDEX "sessions_user";--> statement-breakpoint
DROP INDEX "sessions_seat";--> statement-breakpoint
DROP INDEX "sessions_active";--> statement-breakpoint
ALTER TABLE "sessions" ALTER COLUMN "seat" SET DATA TYPE bigint;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "device" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "country" text;--> statement-breakpoint
-- Sessions that have ended leave their seats, which from here on are unique over all sessions of a user.
UPDATE "sessions" SET "seat" = -"id" WHERE "ended_at" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "sessions_device" ON "sessions" USING btree ("device","id");--> statement-breakpoint
CREATE INDEX "sessions_country" ON "sessions" USING btree ("country","id");--> statement-breakpoint
CREATE UNIQUE INDEX "sessions_seat" ON "sessions" USING btree ("user_id","seat");--> statement-breakpoint
CREATE INDEX "sessions_active" ON "sessions" USING btree ("active_minute","app_id","method","device","country");