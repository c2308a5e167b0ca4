DROP INDEX "sessions_active";--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "device" integer;--> statement-breakpoint
ALTER TABLE "sessions" ADD COLUMN "country" text;--> statement-breakpoint
CREATE INDEX "sessions_device" ON "sessions" USING btree ("device","id");--> statement-breakpoint
CREATE INDEX "sessions_country" ON "sessions" USING btree ("country","id");--> statement-breakpoint
CREATE INDEX "sessions_active" ON "sessions" USING btree ("active_minute","app_id","method","device","country");